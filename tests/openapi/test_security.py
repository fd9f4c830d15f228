"""The documents say where the users of an app come from: the schemes of its identities, backends and guards."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components
from litestar.openapi.spec import SecurityScheme as LitestarScheme
from litestar.security.jwt import JWTAuth, JWTCookieAuth, OAuth2PasswordBearerAuth, Token
from litestar.security.session_auth import SessionAuth
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.guide.schemes import Container, Robot, User, find_user

from daebus import Action, Daebus, DaebusHttp, DaebusWebSocket, Identity, SecurityScheme
from daebus.app.documents import openapi
from daebus.errors import ConfigurationError
from daebus.export.asyncapi import asyncapi
from daebus.testing import running

Json = dict[str, Any]
Connection = ASGIConnection[Any, Any, Any, Any]


class Plain(Container):
    user = Identity(find_user)


async def by_token(token: Token, _: Connection) -> User | None:
    return User(token.sub)


async def by_session(session: dict[str, str], _: Connection) -> User | None:
    return User(session["user"])


JWT: dict[str, Any] = {"retrieve_user_handler": by_token, "token_secret": "s" * 32, "exclude": ["^/login$"]}
TOKEN = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
BACKENDS: dict[str, tuple[Any, Json]] = {
    "JWTAuth": (JWTAuth[User, Token](**JWT), TOKEN),
    "JWTAuth with a header of its own": (
        JWTAuth[User, Token](**JWT, auth_header="X-Token"),
        {"type": "apiKey", "in": "header", "name": "X-Token"},
    ),
    "JWTCookieAuth": (
        JWTCookieAuth[User, Token](**JWT, key="token"),
        {"type": "apiKey", "in": "cookie", "name": "token"},
    ),
    "OAuth2PasswordBearerAuth": (
        OAuth2PasswordBearerAuth[User, Token](**JWT, token_url="/login"),
        {"type": "oauth2", "flows": {"password": {"tokenUrl": "/login", "scopes": {}}}},
    ),
    "SessionAuth": (
        SessionAuth[User, ServerSideSessionBackend](
            retrieve_user_handler=by_session, session_backend_config=ServerSideSessionConfig(), exclude=["^/login$"]
        ),
        {"type": "apiKey", "in": "cookie", "name": "session"},
    ),
}


def shop(container: Container, **options: Any) -> Daebus[Container]:
    app = Daebus("shop", container=container)
    app.attach(DaebusHttp(port=0, **options))
    app.attach(DaebusWebSocket())

    @app.route("/me")
    async def show_me(*, user: User) -> User:
        return user

    @app.route("/offers")
    async def show_offers(*, user: User | None) -> str:
        return "all"

    @app.route("/login", methods=["POST"])
    async def log_in() -> str:
        return "welcome"

    @app.action(Action[None, str]("who"))
    async def who(*, user: User) -> str:
        return user.id

    @app.socket("who")
    async def who_on_socket(*, user: User) -> str:
        return user.id

    return app


def security(document: Json, path: str, method: str = "get") -> object:
    return document["paths"][path][method].get("security")


def schemes(document: Json) -> dict[str, Json]:
    found: dict[str, Json] = document["components"].get("securitySchemes", {})
    return {name: {key: one[key] for key in one if key != "description"} for name, one in found.items()}


def test_each_scheme_of_an_identity_is_enough() -> None:
    app = shop(Container())

    @app.route("/robots")
    async def show_robot(*, user: User, robot: Robot) -> str:
        return f"{robot.id} of {user.id}"

    made = app.check("shop")
    document = openapi(made)
    OpenAPIV31SpecValidator(document).validate()
    assert schemes(document) == {
        "session_cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
        "bearer": TOKEN,
        "x-api-key_header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    either: list[Json] = [{"session_cookie": []}, {"bearer": []}]
    assert security(document, "/me") == either
    assert security(document, "/offers") == [{}, *either]
    assert security(document, "/login", "post") is None
    assert security(document, "/robots") == [
        {"session_cookie": [], "x-api-key_header": []},
        {"bearer": [], "x-api-key_header": []},
    ]
    messages = asyncapi(made)
    assert [one["$ref"].rpartition("/")[2] for one in messages["operations"]["action_who"]["security"]] == [
        "user",
        "bearer",
    ]
    on_socket = [one["$ref"].rpartition("/")[2] for one in messages["operations"]["socket_who"]["security"]]
    assert on_socket == ["session_cookie", "bearer"]
    assert messages["components"]["securitySchemes"]["session_cookie"]["type"] == "httpApiKey"


def test_an_identity_without_schemes_takes_a_bearer_token_and_an_app_without_users_has_none() -> None:
    made = shop(Plain()).check("shop")
    assert schemes(openapi(made)) == {"bearer": {"type": "http", "scheme": "bearer"}}
    app = Daebus("shop")
    app.attach(DaebusHttp(port=0))

    @app.route("/")
    async def show() -> str:
        return "open"

    assert "securitySchemes" not in openapi(app.check("shop"))["components"]


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_of_litestar_is_the_scheme_of_all_routes_but_those_that_it_leaves_out(name: str) -> None:
    backend, expected = BACKENDS[name]
    made = shop(Plain(), on_app_init=[dataclasses.replace(backend).on_app_init]).check("shop")
    document = openapi(made)
    OpenAPIV31SpecValidator(document).validate()
    ((known, scheme),) = schemes(document).items()
    assert scheme == expected
    for path in ("/me", "/offers"):
        assert security(document, path) == [{known: []}]
        assert "401" in document["paths"][path]["get"]["responses"]
    login = document["paths"]["/login"]["post"]
    assert login["security"] == []
    assert "401" not in login["responses"]
    messages = asyncapi(made)
    assert messages["operations"]["socket_who"]["security"] == [{"$ref": f"#/components/securitySchemes/{known}"}]
    described = messages["components"]["securitySchemes"][known]
    assert described["type"] == {"apiKey": "httpApiKey", "oauth2": "http"}.get(str(expected["type"]), expected["type"])


def refuse(_: Connection, __: BaseRouteHandler) -> None: ...


def test_guards_of_litestar_and_what_a_route_says_itself() -> None:
    app = shop(Plain())

    @app.route("/guarded", guards=[refuse])
    async def guarded() -> None: ...

    @app.route("/own", security=[{"own": []}])
    async def own(*, user: User) -> None: ...

    document = openapi(app.check("shop"))
    assert "403" in document["paths"]["/guarded"]["get"]["responses"]
    assert "403" not in document["paths"]["/me"]["get"]["responses"]
    assert security(document, "/own") == [{"own": []}]
    assert "401" in document["paths"]["/own"]["get"]["responses"]
    everywhere = openapi(shop(Plain(), guards=[refuse]).check("shop"))
    assert "403" in everywhere["paths"]["/login"]["post"]["responses"]


def test_a_configuration_of_the_user_gets_the_schemes_too() -> None:
    own = Components(security_schemes={"own": LitestarScheme(type="http", scheme="basic")})
    config = OpenAPIConfig("Shop", "1", components=own)
    document = openapi(shop(Container(), openapi_config=config).check("shop"))
    assert set(schemes(document)) == {"own", "session_cookie", "bearer"}
    OpenAPIV31SpecValidator(document).validate()
    config = OpenAPIConfig("Shop", "1", components=own, security=[{"own": []}])
    document = openapi(shop(Plain(), openapi_config=config).check("shop"))
    assert set(schemes(document)) == {"own"}
    assert security(document, "/me") == [{"own": []}]


@pytest.mark.parametrize(
    ("given", "challenge"),
    [
        (SecurityScheme.bearer(), "Bearer"),
        (SecurityScheme.basic(), 'Basic realm="users", charset="UTF-8"'),
        ([SecurityScheme.bearer(), SecurityScheme.basic()], 'Bearer, Basic realm="users", charset="UTF-8"'),
        (SecurityScheme.cookie("session"), None),
    ],
)
async def test_an_answer_with_401_says_which_credentials_are_missing(given: Any, challenge: str | None) -> None:
    class Known(Container):
        user = Identity(find_user, schemes=given)

    async with running(shop(Known())) as service:
        answer = await service.http.get("/me")
    assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, challenge)


def test_what_is_no_scheme_is_refused() -> None:
    for make in (SecurityScheme.cookie, SecurityScheme.header):
        for name in ("", "a b", "ü"):
            with pytest.raises(ConfigurationError, match="does not allow this name"):
                make(name)
    with pytest.raises(ConfigurationError, match=r"SecurityScheme.cookie\('session'\)"):
        Identity(find_user, schemes="session")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
