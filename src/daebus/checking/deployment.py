"""What is unsafe in production, for ``daebus check --deploy``: settings of the app, variables of the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from daebus.app.assembly import Assembly
from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.connection.urls import parse_target
from daebus.declare.specs import RouteSpec
from daebus.embedded.deployment import EMBEDDED_VARIABLE, REDIS_URL_VARIABLE
from daebus.identity.provider import Identity
from daebus.legacy.setting import LEGACY_VARIABLE
from daebus.mistakes.places import made_at
from daebus.mistakes.problem import Code, WiringProblem

__all__ = ["find_unsafe"]

_ENVIRONMENT = "the environment"
_LOCAL = ("127.0.0.1", "::1", "localhost")
_LEVEL_VARIABLE = "DAEBUS_LOG_LEVEL"


def find_unsafe(made: Assembly, environment: Mapping[str, str]) -> list[WiringProblem]:
    """Everything that is unsafe in production, or that only development needs.

    Args:
        made: The app.
        environment: The variables of the environment in which the service will run.
    """
    found = [*_of_users(made), *_of_environment(made, environment)]
    if made.http is not None:
        found += [*_of_http(made.http), *_of_cookies(made.http), *_of_bodies(made, made.http)]
    if made.websocket is not None:
        found += _of_origins(made.websocket, "DaebusWebSocket")
    return found


def _unsafe(subject: str, found: str, remedy: str, code: Code, of: object = None) -> WiringProblem:
    return WiringProblem(made_at(of) or _ENVIRONMENT, subject, found, remedy, code=code)


def _of_http(http: DaebusHttp) -> Iterator[WiringProblem]:
    options, name = http.litestar, "DaebusHttp(...)"
    if http.schema or options.get("openapi_config") is not None:
        option = "schema=True" if http.schema else "openapi_config"
        found = f"{option} shows all routes and their types to everyone, at /schema"
        remedy = "leave it out: /schema is then open in development only"
        yield _unsafe(name, found, remedy, "open-documentation", http)
    for option in ("debug", "pdb_on_exception"):
        if options.get(option):
            found = f"{option}=True is for development: errors show code, or stop the process"
            yield _unsafe(name, found, "leave it out", "debug-mode", http)
    if http.allowed_hosts is None:
        found = "no allowed_hosts: if it listens for others, it answers to every host name, as attackers choose it"
        remedy = 'name your hosts: DaebusHttp(allowed_hosts=["api.example.com"])'
        yield _unsafe(name, found, remedy, "any-host", http)
    yield from _of_origins(http, "DaebusHttp")
    cors = options.get("cors_config")
    if "*" in getattr(cors, "allow_origins", ()) and getattr(cors, "allow_credentials", False):
        found = "its cors_config lets the pages of all sites read answers with the cookies of their visitors"
        yield _unsafe(name, found, "name the origins: CORSConfig(allow_origins=[...])", "any-origin", http)


def _of_origins(component: DaebusHttp | DaebusWebSocket, name: str) -> Iterator[WiringProblem]:
    if "*" in component.origins:
        found = 'origins=["*"] lets the pages of all sites send requests with the cookies of their visitors'
        yield _unsafe(f"{name}(...)", found, "name the origins of your own pages", "any-origin", component)


def _of_cookies(http: DaebusHttp) -> Iterator[WiringProblem]:
    for owner, option in _cookies(http):
        if getattr(owner, option, None) is False:
            shown = type(owner).__name__
            found = f"the cookie of {shown} is also sent over connections without TLS"
            yield _unsafe("DaebusHttp(...)", found, f"write {shown}(..., {option}=True)", "insecure-cookie", http)


def _cookies(http: DaebusHttp) -> Iterator[tuple[object, str]]:
    """The objects of Litestar that set cookies, and the option that restricts them to TLS."""
    yield http.litestar.get("csrf_config"), "cookie_secure"
    for hook in _listed(http.litestar.get("on_app_init")):
        backend = getattr(hook, "__self__", None)
        yield getattr(backend, "session_backend_config", backend), "secure"
    for middleware in _listed(http.litestar.get("middleware")):
        given = cast("Mapping[str, object]", getattr(middleware, "kwargs", {}))
        for value in given.values():
            yield getattr(value, "config", value), "secure"


def _listed(given: object) -> Sequence[object]:
    return cast("Sequence[object]", given) if isinstance(given, list | tuple) else ()


def _of_bodies(made: Assembly, http: DaebusHttp) -> Iterator[WiringProblem]:
    option, remedy = "request_max_body_size", "give the largest number of bytes that it needs"
    found = "the size of a body has no limit, so one client can fill the memory or the disk"
    if option in http.litestar and not http.litestar[option]:
        yield _unsafe("DaebusHttp(...)", found, remedy, "unlimited-body", http)
    for spec in made.plans.served():
        if isinstance(spec, RouteSpec) and option in spec.options and not spec.options[option]:
            yield spec.problem(found, remedy, code="unlimited-body")


def _of_users(made: Assembly) -> Iterator[WiringProblem]:
    given = [(name, one) for name, one in made.container.providers.items() if isinstance(one, Identity)]
    forwarded = [name for name, identity in given if identity.visitor.rules.forward]
    if forwarded and made.settings.signing_keys is None:
        found = "without signing_keys, everyone who can write to Redis can send messages as any user"
        remedy = "write Settings(signing_keys=SigningKeys(...)), with a key that the services share"
        where = f"the container of {made.service!r}"
        yield WiringProblem(where, f"the Identity {forwarded[0]!r}", found, remedy, code="unsigned-users")


def _of_environment(made: Assembly, environment: Mapping[str, str]) -> Iterator[WiringProblem]:
    url = environment.get(REDIS_URL_VARIABLE)
    if not url:
        found = "it is not set, so the service starts only if its command names the server"
        yield _unsafe(REDIS_URL_VARIABLE, found, f"set {REDIS_URL_VARIABLE}=rediss://USER:PASSWORD@HOST", "no-server")
    else:
        yield from _of_server(url)
    if environment.get(EMBEDDED_VARIABLE) != "0":
        found = "an engine for development is started where no server is named"
        yield _unsafe(EMBEDDED_VARIABLE, found, f"set {EMBEDDED_VARIABLE}=0", "embedded-engine")
    if made.settings.legacy or (made.settings.legacy is None and environment.get(LEGACY_VARIABLE) == "1"):
        found = "the protocol of daebus 0.0.31 has no users, no signatures and no limits of its own"
        yield _unsafe(LEGACY_VARIABLE, found, "remove it once all services are migrated", "old-protocol")
    if environment.get(_LEVEL_VARIABLE, "").upper() == "DEBUG":
        found = "the level DEBUG may log what clients send"
        yield _unsafe(_LEVEL_VARIABLE, found, "remove it, or set INFO", "debug-mode")


def _of_server(url: str) -> Iterator[WiringProblem]:
    try:
        target = parse_target(url)
    except ValueError as error:
        yield _unsafe(REDIS_URL_VARIABLE, f"the URL {error}", "correct it", "no-server")
        return
    remote = [host for host, _ in target.hosts if host not in _LOCAL]
    if remote and not url.startswith("rediss"):
        found = f"{target.address} is reached without TLS: who is on the way can read and change all messages"
        yield _unsafe(REDIS_URL_VARIABLE, found, "write rediss://, unless the network is private", "unencrypted-server")
    if remote and "@" not in url:
        found = f"{target.address} is used without a password"
        remedy = "give the service a user with the rights of docs/redis.md: rediss://USER:PASSWORD@HOST"
        yield _unsafe(REDIS_URL_VARIABLE, found, remedy, "no-password")
