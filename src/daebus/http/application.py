"""The Litestar app of a service, built from its routes. Loads Litestar: import it only when an app starts."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, cast

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import LitestarDeprecationWarning, LitestarException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler
from typing_extensions import override

from daebus.asgi.conditions import leave_uncompressed, sending_changes
from daebus.asgi.handshake import explaining, refuse_unread
from daebus.asgi.msgpack import decoding, encoding
from daebus.asgi.problems import telling_id
from daebus.asgi.settings import DaebusHttp, HttpLimits
from daebus.asgi.site_guard import SiteGuard
from daebus.asgi.subprotocols import take_token
from daebus.core.stopping import Stopping
from daebus.declare.paths import litestar_path, path_shape
from daebus.errors import ConfigurationError, WiringError, WiringProblem
from daebus.mistakes.places import made_at
from daebus.mistakes.render import Note
from daebus.mistakes.suggestions import closest
from daebus.openapi.corrections import Corrections, corrected
from daebus.openapi.operation_ids import operation_ids
from daebus.openapi.page import MESSAGES_PATH, NO_DOCUMENTS, PATH, Documentation, Documents
from daebus.server.draining import BODY_RECEIVED, draining
from daebus.server.granian_server import AsgiApp
from daebus.server.sockets import DIRECT, Direct
from daebus.telemetry.logs import Logger

from .arguments import PlainRequest
from .fast_path import FastPath, has_fast_path
from .problems import Problems
from .routes import HttpRoute, RouteHandler, make_handler

__all__ = ["Application", "Documents", "HttpRoute", "build_litestar"]

Lifespan = Callable[..., AbstractAsyncContextManager[Any]]


class Application(Litestar):
    """Litestar's app, which first refuses other sites and hosts, and adds the request id to responses.

    Attributes:
        fast_path: The fast path of its requests.
        guard: Refuses other sites and hosts.
        documentation: The documentation of the routes.
        packs: The largest body in MessagePack, in bytes; None: bodies and answers are JSON only.
        probed: The paths of probes of the service's health, which `probes` answers.
        probes: See above.
    """

    fast_path: FastPath
    guard: SiteGuard
    documentation: Documentation
    packs: int | None = None
    probed: frozenset[str] = frozenset()
    probes: AsgiApp | None = None

    @override
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # unions of the types of the three kinds
        if scope["type"] == "websocket":
            scope.setdefault(DIRECT, Direct(receive, send))
            take_token(scope)
            send = explaining(scope, send)
            refusal = self.guard.refuses_connection(scope)
            if refusal is not None:
                await refuse_unread(scope, receive, send, refusal)
                return
        elif scope["type"] == "http":
            # Before the guard: a platform asks by an address that is no name of the service.
            if scope["path"] in self.probed and self.probes is not None:
                await self.probes(scope, receive, send)
                return
            scope.setdefault("state", {})
            if BODY_RECEIVED not in scope:  # the server is not ours
                receive, send = draining(scope, receive, send)
            answer = self.guard.refuses_request(scope)
            if self.packs is not None:
                send = encoding(scope, send)
                if answer is None:
                    receive, answer = await decoding(scope, receive, self.packs)
            answer = answer or await self.fast_path.answer(scope, receive)
            if answer is not None:
                await answer(scope, receive, send)
                return
            leave_uncompressed(scope)
            send = telling_id(sending_changes(send, scope), scope)
        await super().__call__(scope, receive, send)


def build_litestar(
    settings: DaebusHttp,
    routes: Sequence[HttpRoute],
    *,
    service: str,
    stopping: Stopping,
    logger: Logger,
    documents: Documents = NO_DOCUMENTS,
    extra_handlers: Sequence[ControllerRouterHandler] = (),
    lifespan: Sequence[Lifespan] = (),
) -> Application:
    """Build the app.

    Args:
        settings: The options, those for Litestar included.
        routes: The routes; no two of them may have the same method and path.
        service: The name of the service.
        stopping: Whether it is stopping.
        logger: Where unexpected exceptions are logged.
        documents: What its documentation says besides the routes.
        extra_handlers: Other Litestar handlers, such as the one for WebSockets.
        lifespan: Entered before, and left after, the user's own lifespan and start and stop hooks of Litestar.

    Raises:
        ConfigurationError: Litestar refuses the options.
        WiringError: Litestar does not have an option, routes conflict, or Litestar refuses a route; the error lists all
            of them.
    """
    given, problems = dict(settings.litestar), Problems(logger)
    fast_path = FastPath(is_on=(fast := has_fast_path(logger)))
    documentation = _documentation(settings, service, routes, documents)
    _refuse_unknown(settings)
    _refuse_collisions(routes)
    options = {
        "logging_config": None,
        "request_class": PlainRequest if fast else Request,
        "request_max_body_size": settings.limits.max_body_size,
        **given,
        "openapi_config": _openapi_config(settings, documentation, routes),
        "exception_handlers": problems.handlers(cast("Any", given.get("exception_handlers"))),
        "after_exception": [problems.note, *_listed(given, "after_exception")],
        "plugins": [*_listed(given, "plugins"), fast_path],
        "lifespan": [*lifespan, *_listed(given, "lifespan")],
        "route_handlers": [*extra_handlers, *documentation.routers, *_listed(given, "route_handlers")],
    }
    with warnings.catch_warnings():
        # daebus guarantees that `headers`, `cookies`, `query` and `body` may have custom types.
        warnings.filterwarnings("ignore", ".*Reserved kwarg", LitestarDeprecationWarning)
        app = _make_application(options)
        _add_options_handlers(app, routes)
        dependencies = cast("Mapping[str, object]", given.get("dependencies") or {})
        make = partial(make_handler, provided=dependencies, service=service, stopping=stopping, logger=logger)
        _add_routes(app, routes, make, fast=fast)
    app.fast_path, app.guard, app.documentation = fast_path, SiteGuard(settings, logger), documentation
    app.packs = settings.limits.max_body_size if settings.msgpack else None
    fast_path.open(app)
    return app


def _documentation(
    settings: DaebusHttp, service: str, routes: Sequence[HttpRoute], documents: Documents
) -> Documentation:
    ids = operation_ids(routes, str(settings.litestar.get("path") or ""))
    is_served = settings.schema is not False and settings.litestar.get("openapi_config", True) is not None
    if not is_served:
        documents = msgspec.structs.replace(documents, asyncapi=None)
    documentation = Documentation(service, ids, documents)
    documentation.is_open = settings.schema is True
    return documentation


def _openapi_config(settings: DaebusHttp, documentation: Documentation, routes: Sequence[HttpRoute]) -> object:
    own = None if settings.schema is False else documentation.config
    config = settings.litestar.get("openapi_config", own)
    if not isinstance(config, OpenAPIConfig):
        return config
    return corrected(config, Corrections(routes, settings.litestar, packs=settings.msgpack))


def _make_application(options: Mapping[str, object]) -> Application:
    try:
        return Application(**cast("dict[str, Any]", options))
    except LitestarException as error:
        raise ConfigurationError(f"Litestar refuses what DaebusHttp(...) passes to it: {error.detail}") from error


def _listed(given: Mapping[str, object], name: str) -> Sequence[object]:
    return cast("Sequence[object]", given.get(name) or ())


_OWN = (
    *("port", "host", "origins", "allowed_hosts", "schema", "http2", "limits"),
    *("msgpack", "health", "cancel_on_disconnect"),
)


def _refuse_unknown(settings: DaebusHttp) -> None:
    known = inspect.signature(Litestar).parameters
    problems: list[WiringProblem] = []
    for name in settings.litestar.keys() - known:
        begins = [option for option in known if option.startswith(f"{name}_")]
        close = next(iter(begins), None) or closest(name, [*known, *_OWN])
        remedy = "see the arguments of litestar.Litestar" if close is None else f"did you mean {close!r}?"
        if name in HttpLimits.__struct_fields__:
            remedy = f"write limits=HttpLimits({name}=...)"
        found = f"it has no option {name!r}, nor has Litestar"
        problems.append(
            WiringProblem(made_at(settings) or "?", "DaebusHttp(...)", found, remedy, code="unknown-option")
        )
    if problems:
        raise WiringError(*problems)


def _refuse_collisions(routes: Sequence[HttpRoute]) -> None:
    problems: list[WiringProblem] = []
    seen: dict[tuple[str, str], HttpRoute] = {}
    for route in routes:
        for method in route.spec.methods:
            other = seen.setdefault((method, path_shape(route.spec.path)), route)
            if other is not route:
                found = f"{method} {other.spec.path} is the same path to the router"
                notes = [Note("the other one", other.spec.place)]
                remedy = "change the path of one of the two"
                problems.append(route.spec.problem(found, remedy, code="same-route", notes=notes))
    if problems:
        raise WiringError(*problems)


def _add_options_handlers(app: Litestar, routes: Sequence[HttpRoute]) -> None:
    """Answer OPTIONS for paths with several handlers: Litestar's own answer includes only the first handler."""
    sharing: dict[str, list[HttpRoute]] = {}
    for route in routes:
        sharing.setdefault(litestar_path(route.spec.path, route.endpoint.signature), []).append(route)
    taken = {route.path for route in app.routes}
    for path, handlers in sharing.items():
        allowed = {"OPTIONS", *(method for route in handlers for method in route.spec.methods)}
        has_own = any("OPTIONS" in route.spec.methods for route in handlers)
        if len(handlers) > 1 and not has_own and path not in taken:
            app.register(_options_handler(path, ", ".join(sorted(allowed))))


def _options_handler(path: str, allowed: str) -> HTTPRouteHandler:
    async def answer_options() -> Response[None]:
        return Response(None, headers={"Allow": allowed})

    return HTTPRouteHandler(path, http_method="OPTIONS", status_code=204, include_in_schema=False)(answer_options)


def _add_routes(
    app: Litestar, routes: Sequence[HttpRoute], make: Callable[[HttpRoute], RouteHandler], *, fast: bool
) -> None:
    problems: list[WiringProblem] = []
    for route in routes:
        try:
            app.register(make(route))
        except WiringError as error:
            problems.extend(error.problems)
        except (LitestarException, TypeError, ValueError) as error:
            problems.append(_refused(app, route, error))
    # Only now has Litestar resolved the options that its layers and plugins add to each handler.
    for registered in app.routes:
        for handler in registered.route_handlers if isinstance(registered, HTTPRoute) else ():
            try:
                if isinstance(handler, RouteHandler):
                    handler.fit(fast=fast)
            except WiringError as error:
                problems.extend(error.problems)
    if problems:
        raise WiringError(*problems)


_DOCUMENTED = {PATH: "routes", MESSAGES_PATH: "messages"}


def _refused(app: Litestar, route: HttpRoute, error: Exception) -> WiringProblem:
    """The mistake in a route that Litestar has refused."""
    path, config = route.spec.path.rstrip("/"), app.openapi_config
    has_own = config is not None and config.openapi_router is None  # the user's own configuration
    for documented in (MESSAGES_PATH,) if has_own else (PATH, MESSAGES_PATH):
        is_taken = any(other.path == path for other in app.routes)
        if is_taken and (path == documented or path.startswith(f"{documented}/")):
            found = f"daebus serves the documentation of the {_DOCUMENTED[documented]} at {documented}"
            return route.spec.problem(
                found, "choose another path, or write DaebusHttp(schema=False)", code="same-route"
            )
    found = f"Litestar refuses it: {error.detail if isinstance(error, LitestarException) else error}"
    remedy = "correct the handler's signature, or the options of its route"
    return route.spec.problem(found, remedy, code="refused-by-litestar")
