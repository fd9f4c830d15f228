"""What a service of Litestar has for its logins is a source of users: its backends, guards and middleware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.security.jwt import JWTAuth, JWTCookieAuth, OAuth2PasswordBearerAuth, Token
from litestar.security.session_auth import SessionAuth
from tests.guide.backends import app as guide_app
from websockets.exceptions import InvalidStatus

from daebus import Context, Credentials, Daebus, DaebusHttp, DaebusWebSocket, Identity, ServiceContainer
from daebus.testing import RunningService, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

SECRET = "s" * 32
OPEN = ["^/login$", "^/schema"]
Connection = ASGIConnection[Any, Any, Any, Any]


class User(msgspec.Struct):
    id: str


async def find_user(credentials: Credentials) -> User | None:
    user = credentials.scope.get("user")
    return user if isinstance(user, User) else None


class Container(ServiceContainer):
    user = Identity(find_user)


async def by_token(token: Token, _: Connection) -> User | None:
    return User(token.sub) if token.sub == "ada" else None


async def by_session(session: dict[str, str], _: Connection) -> User | None:
    return User(session["user"]) if "user" in session else None


JWT = JWTAuth[User, Token](retrieve_user_handler=by_token, token_secret=SECRET, exclude=OPEN)
COOKIE = JWTCookieAuth[User, Token](retrieve_user_handler=by_token, token_secret=SECRET, exclude=OPEN)
OAUTH = OAuth2PasswordBearerAuth[User, Token](
    retrieve_user_handler=by_token, token_secret=SECRET, token_url="/login", exclude=OPEN
)
SESSION = SessionAuth[User, ServerSideSessionBackend](
    retrieve_user_handler=by_session, session_backend_config=ServerSideSessionConfig(), exclude=OPEN
)


async def log_in_by_session(request: Request[object, object, State]) -> Response[str]:
    request.set_session({"user": "ada"})  # pyright: ignore[reportUnknownMemberType]  # partly unknown in Litestar
    return Response("ada")


async def log_in_by_jwt() -> Response[User]:
    return JWT.login(identifier="ada", response_body=User("ada"))


async def log_in_by_cookie() -> Response[User]:
    return COOKIE.login(identifier="ada", response_body=User("ada"))


async def log_in_by_oauth() -> Response[User]:
    return OAUTH.login(identifier="ada", response_body=User("ada"))


def shop(on_app_init: object, log_in: Callable[..., object]) -> Daebus[Container]:
    app = Daebus("shop", container=Container())
    app.attach(DaebusHttp(port=0, on_app_init=[on_app_init]))
    app.attach(DaebusWebSocket())
    app.route("/login", methods=["POST"])(log_in)

    @app.route("/who")
    async def who(context: Context, *, user: User) -> str:
        assert context.actor == user.id
        return user.id

    @app.socket("who")
    async def who_on_socket(*, user: User) -> str:
        return user.id

    return app


@pytest.mark.parametrize(
    ("backend", "log_in"),
    [
        pytest.param(JWT, log_in_by_jwt, id="JWTAuth"),
        pytest.param(COOKIE, log_in_by_cookie, id="JWTCookieAuth"),
        pytest.param(OAUTH, log_in_by_oauth, id="OAuth2PasswordBearerAuth"),
        pytest.param(SESSION, log_in_by_session, id="SessionAuth"),
    ],
)
async def test_a_backend_of_litestar_tells_who_it_is(backend: Any, log_in: Callable[..., object]) -> None:
    async with running(shop(backend.on_app_init, log_in)) as service:
        assert (await service.http.get("/who")).status_code == 401
        with pytest.raises(InvalidStatus) as refused:
            await _connect(service)
        assert refused.value.response.status_code == 401
        answer = await service.http.post("/login")
        assert answer.status_code in (200, 201)
        shown = {name: answer.headers[name] for name in ("authorization",) if name in answer.headers}
        assert (await service.http.get("/who", headers=shown)).text == "ada"
        cookies = "; ".join(f"{name}={value}" for name, value in service.http.cookies.items())
        async with service.socket(headers={**shown, "cookie": cookies}) as socket:
            assert bytes((await socket.ask("who")).data) == b'"ada"'


async def _connect(service: RunningService) -> None:
    async with service.socket():
        pass


class Gateway(AbstractAuthenticationMiddleware):
    """Trusts a header that a proxy sets."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        name = connection.headers.get("x-user")
        return AuthenticationResult(user=None if name is None else User(name), auth=None)


def refuse_bob(connection: Connection, _: BaseRouteHandler) -> None:
    if cast("User | None", connection.user) == User("bob"):
        raise PermissionDeniedException("Not Bob")


async def test_middleware_and_guards_of_litestar_stand_before_a_route() -> None:
    app = Daebus("shop", container=Container())
    app.attach(DaebusHttp(port=0, middleware=[DefineMiddleware(Gateway)], guards=[refuse_bob]))
    app.attach(DaebusWebSocket())

    @app.route("/who")
    async def who(*, user: User) -> str:
        return user.id

    @app.socket("who")
    async def who_on_socket(*, user: User | None) -> str:
        return "a stranger" if user is None else user.id

    async with running(app) as service:
        answers = [
            await service.http.get("/who", headers=headers) for headers in ({}, {"x-user": "ada"}, {"x-user": "bob"})
        ]
        assert [answer.status_code for answer in answers] == [401, 200, 403]
        for headers, name in (({}, "a stranger"), ({"x-user": "ada"}, "ada")):
            async with service.socket(headers=headers) as socket:
                assert bytes((await socket.ask("who")).data) == f'"{name}"'.encode()
        with pytest.raises(InvalidStatus):
            async with service.socket(headers={"x-user": "bob"}):
                pass


async def test_the_example_of_the_guide() -> None:
    async with running(guide_app) as service:
        answer = await service.http.post("/login")
        shown = {"authorization": answer.headers["authorization"]}
        assert (await service.http.get("/me", headers=shown)).json() == {"id": "1", "name": "Ada"}
        assert (await service.http.get("/me")).status_code == 401
