"""The users of WebSocket clients: credentials by subprotocol or by a message, and users that expire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest
from dependency_injector import providers
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from tests.support import closed, until
from websockets.exceptions import InvalidStatus

from daebus import (
    Client,
    Clients,
    Context,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    Message,
    ServiceContainer,
    WebSocketLimits,
)
from daebus.errors import Unavailable
from daebus.testing import RunningService, Socket, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

NEWS = Message[str]("news")


class User(msgspec.Struct):
    id: str
    until: datetime | None = None


class Tokens:
    def __init__(self) -> None:
        self.users = {"a1": User("ada"), "a2": User("ada"), "b1": User("bob"), "a/b=c+d": User("eve")}
        self.is_away = False
        self.asked: list[str] = []

    async def find(self, token: str) -> User | None:
        self.asked.append(token)
        if self.is_away:
            raise Unavailable("The tokens are away")
        return self.users.get(token)

    def add(self, token: str, user_id: str, seconds: float) -> None:
        self.users[token] = User(user_id, datetime.now(UTC) + timedelta(seconds=seconds))


async def find_user(credentials: Credentials, tokens: Tokens) -> User | None:
    return await tokens.find(credentials.token) if credentials.scheme == "bearer" else None


def until_of(user: User) -> datetime | None:
    return user.until


class Container(ServiceContainer):
    tokens = providers.Singleton(Tokens)
    user = Identity(find_user, tokens=tokens, expires=until_of)


def chat(limits: WebSocketLimits | None = None) -> Daebus[Container]:
    app = Daebus("chat", container=Container())
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket(limits=limits))

    @app.socket("who")
    async def who(*, user: User) -> str:
        return user.id

    @app.socket("look")
    async def look(*, user: User | None) -> str:
        return "a stranger" if user is None else user.id

    @app.socket("headers")
    async def headers(context: Context, client: Client) -> dict[str, str]:
        assert dict(client.headers) == dict(context.headers)
        return dict(context.headers)

    return app


def strict() -> Daebus[Container]:
    """A service whose connect handler refuses strangers."""
    app = chat()

    @app.socket_connect()
    async def connect(client: Client, *, user: User) -> str:
        await client.send(NEWS, "soon")
        return f"hello {user.id}"

    return app


ADA, LOGIN = ["daebus", "daebus.bearer.a1"], ["daebus.authenticate"]


async def asked(socket: Socket, message_type: str = "who", data: object = None) -> object:
    answer = await socket.ask(message_type, data)
    found = msgspec.json.decode(answer.data)
    return found["code"] if answer.type == "error" else found


async def log_in(socket: Socket, token: str) -> object:
    return await asked(socket, "authenticate", {"token": token})


@pytest.mark.parametrize(("token", "user"), [("a1", "ada"), (quote("a/b=c+d", safe=""), "eve"), ("nobody", None)])
async def test_a_subprotocol_can_have_the_token(token: str, user: str | None) -> None:
    app = strict()
    async with running(app) as service:
        offered = ["daebus", f"daebus.bearer.{token}"]
        if user is None:
            with pytest.raises(InvalidStatus) as caught:
                await _connect(service, offered)
            assert caught.value.response.status_code == 401
            return
        async with service.socket(subprotocols=offered) as socket:
            assert socket.connection.subprotocol == "daebus"
            assert bytes((await socket.receive()).data) == b'"soon"'
            assert bytes((await socket.receive()).data) == f'"hello {user}"'.encode()
            assert await asked(socket) == user


async def _connect(service: RunningService, offered: list[str]) -> None:
    async with service.socket(subprotocols=offered):
        pass


async def test_the_token_in_a_subprotocol_is_the_header_and_nothing_else() -> None:
    async with running(chat()) as service:
        async with service.socket(subprotocols=ADA) as socket:
            told = await asked(socket, "headers")
        assert isinstance(told, dict)
        assert told["authorization"] == "Bearer a1"
        assert told["sec-websocket-protocol"] == "daebus"
        async with service.socket(subprotocols=ADA, headers={"authorization": "Bearer b1"}) as socket:
            assert await asked(socket) == "bob"
        async with service.socket(subprotocols=["daebus.bearer.a1"]) as socket:
            assert socket.connection.subprotocol is None
        async with service.socket(subprotocols=["graphql-ws", "daebus"]) as socket:
            assert socket.connection.subprotocol == "daebus"


class Middleware(AbstractAuthenticationMiddleware):
    async def authenticate_request(
        self, connection: ASGIConnection[object, object, object, State]
    ) -> AuthenticationResult:
        return AuthenticationResult(user=connection.headers.get("authorization"), auth=None)


async def find_known(credentials: Credentials) -> User | None:
    user = credentials.scope.get("user")
    return User(user) if isinstance(user, str) else None


async def test_middleware_of_litestar_knows_the_token_of_a_subprotocol() -> None:
    class Known(ServiceContainer):
        user = Identity(find_known)

    app = Daebus("chat", container=Known())
    app.attach(DaebusHttp(port=0, middleware=[Middleware]))
    app.attach(DaebusWebSocket())

    @app.socket("who")
    async def who(*, user: User) -> str:
        return user.id

    async with running(app) as service, service.socket(subprotocols=ADA) as socket:
        assert await asked(socket) == "Bearer a1"


async def test_the_first_message_can_have_the_token() -> None:
    for app in (strict(), chat()):
        async with running(app) as service, service.socket(subprotocols=LOGIN) as socket:
            assert socket.connection.subprotocol == "daebus.authenticate"
            assert await log_in(socket, "a1") in ("hello ada", None)
            assert await asked(socket) == "ada"
            assert app.container.tokens().asked == ["a1"]


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ('{"type":"authenticate","data":{"token":"nobody"}}', 4401, "The credentials are not valid"),
        ('{"type":"authenticate","data":{"token":"a1","scheme":"basic"}}', 4401, "The credentials are not valid"),
        ('{"type":"authenticate","data":{}}', 4400, "Missing value at `$.token`"),
        ('{"type":"who"}', 4401, "The first message must have the type 'authenticate'"),
        ("{", 4400, "The message is not valid JSON"),
        ('{"type":"authenticate","data":{"token":"' + "x" * 8_192 + '"}}', 4413, "at most 8192 are allowed"),
    ],
)
async def test_who_does_not_log_in_first_is_closed(text: str, code: int, reason: str) -> None:
    app = strict()
    async with running(app) as service:
        clients: Clients = app.container.clients()
        async with service.socket(subprotocols=LOGIN) as socket:
            assert await clients.connected() == []  # it gets no broadcasts before it is known
            await socket.connection.send(text)
            told = await closed(socket.connection)
            assert told[0] == code
            assert reason in told[1]
        assert await clients.connected() == []


async def test_a_login_has_a_time_limit() -> None:
    async with (
        running(chat(WebSocketLimits(login_timeout=0.1))) as service,
        service.socket(subprotocols=LOGIN) as socket,
    ):
        assert await closed(socket.connection) == (4401, "The client has sent no credentials within 0.1 s")


async def test_a_stop_does_not_wait_for_a_login() -> None:
    async with AsyncExitStack() as stack:
        async with running(chat()) as service:
            socket = await stack.enter_async_context(service.socket(subprotocols=LOGIN))
            start = time.monotonic()
        assert time.monotonic() - start < 2
        assert (await closed(socket.connection))[0] == 4503


async def test_a_service_without_users_takes_no_login() -> None:
    app = Daebus("chat")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @app.socket("echo")
    async def echo(data: str) -> str:
        return data

    async with running(app) as service, service.socket(subprotocols=[*LOGIN, "daebus"]) as socket:
        assert socket.connection.subprotocol == "daebus"
        assert await log_in(socket, "a1") == "no_such_type"


@asynccontextmanager
async def ada_for(seconds: float) -> AsyncGenerator[tuple[Tokens, Socket]]:
    """A client of Ada, whose token lasts for so long, once she was asked for."""
    app = chat()
    async with running(app) as service, service.socket(subprotocols=ADA) as socket:
        tokens = app.container.tokens()
        tokens.add("a1", "ada", seconds)
        assert await asked(socket) == "ada"
        yield tokens, socket


async def test_a_client_is_closed_when_its_user_expires_even_if_it_is_silent() -> None:
    async with ada_for(0.1) as (_, socket):
        assert (await closed(socket.connection))[0] == 4401


async def test_a_user_who_is_found_again_stays() -> None:
    async with ada_for(0.1) as (tokens, socket):
        tokens.add("a1", "ada", 60)
        await until(lambda: len(tokens.asked) == 2)
        assert await asked(socket) == "ada"
        assert len(tokens.asked) == 2


async def test_a_client_sends_a_new_token_before_the_old_one_expires() -> None:
    async with ada_for(1.0) as (tokens, socket):
        assert await log_in(socket, "a2") is None
        await asyncio.sleep(1.1)  # nothing may happen; the token lasts long enough for a busy machine
        assert await asked(socket) == "ada"
        assert tokens.asked == ["a1", "a2"]


@pytest.mark.parametrize("token", ["b1", "nobody"])
async def test_a_connection_is_of_one_user_only(token: str) -> None:
    async with running(chat()) as service, service.socket(subprotocols=ADA) as socket:
        assert await asked(socket) == "ada"
        assert await log_in(socket, token) == "unauthorized"
        assert (await closed(socket.connection))[0] == 4401


async def test_a_stranger_can_log_in_later() -> None:
    async with running(chat()) as service, service.socket() as socket:
        assert await asked(socket, "look") == "a stranger"
        assert await log_in(socket, "nobody") == "unauthorized"
        assert await asked(socket, "look") == "a stranger"
        assert await log_in(socket, "a1") is None
        assert await asked(socket, "look") == "ada"


async def test_a_user_who_cannot_be_found_again_is_closed_with_the_reason() -> None:
    async with ada_for(0.1) as (tokens, socket):
        tokens.is_away = True
        assert await closed(socket.connection) == (4503, "The tokens are away")


async def test_a_handler_of_the_service_called_authenticate_takes_these_messages_itself() -> None:
    app = chat()

    @app.socket("authenticate")
    async def authenticate(data: str) -> str:
        return data

    async with running(app) as service, service.socket(subprotocols=ADA) as socket:
        assert await asked(socket, "authenticate", "mine") == "mine"
