from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
import os
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import httpx
import msgspec
import pytest
import uvicorn
from dependency_injector import containers
from litestar import Litestar, WebSocket, get
from litestar.exceptions import ClientException, NotAuthorizedException
from litestar.handlers import WebsocketRouteHandler
from litestar.types import Message as AsgiMessage
from litestar.types import Scope
from tests.support import recorded, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from daebus import WebSocketLimits
from daebus.app.kinds import compile_handler
from daebus.asgi.handshake import Handshake
from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.connection.node import Node
from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.connection.subscriber import Subscriber
from daebus.core.budgets import Budget
from daebus.core.context import Context
from daebus.core.stopping import Stopping
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.declare.contracts import Message
from daebus.declare.recorder import Recorder
from daebus.declare.specs import SocketSpec
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.workers import WorkerPool
from daebus.embedded.engine import join_embedded
from daebus.errors import Forbidden, NotFound, Reject, Unavailable, WiringError
from daebus.http.application import build_litestar
from daebus.protocol.messages import client_registry
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger
from daebus.websocket.clients import Client, Clients
from daebus.websocket.hub import SocketHub, SocketRoutes, socket_handler
from daebus.websocket.outbox import Outbox
from daebus.websocket.replicas import Replicas

_services = itertools.count(1)


class Item(msgspec.Struct):
    name: str
    count: int = 0


class Params(msgspec.Struct):
    room: int
    tags: list[str] = []
    admin: bool = False


class Welcome(msgspec.Struct):
    room: int
    tags: list[str]
    admin: bool


class Member(msgspec.Struct):
    name: str


NEWS = Message[Item]("news")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    engine = join_embedded(private=True)
    yield engine.url
    engine.close()


@pytest.fixture
async def link(url: str) -> AsyncIterator[ServerLink]:
    link = ServerLink(RedisServer.from_url(url))
    await link.start()
    yield link
    await link.close()


@pytest.fixture
async def subscriber(url: str) -> AsyncIterator[Subscriber]:
    subscriber = Subscriber(RedisServer.from_url(url))
    await subscriber.start()
    yield subscriber
    await subscriber.close()


@pytest.fixture
def service() -> str:
    return f"chat{next(_services)}"


@pytest.fixture
def sockets() -> Recorder:
    return Recorder("sockets")


Kind = Literal["granian", "hooked", "uvicorn"]


class Site:
    """One replica: a hub behind a real server."""

    def __init__(self, hub: SocketHub, port: int) -> None:
        self.hub = hub
        self.port = port

    def connect(self, query: str = "", **headers: str) -> connect:
        url = f"ws://127.0.0.1:{self.port}/ws?{query}"
        return connect(url, additional_headers=headers, max_size=None, compression=None)

    async def is_down_to(self, clients: int) -> bool:
        return len(await self.hub.clients.connected()) == clients

    async def refusal(self, query: str = "") -> tuple[int, dict[str, object]]:
        return await refusal(f"ws://127.0.0.1:{self.port}/ws?{query}")


class Sites:
    """Makes replicas of one service, which end with the test."""

    def __init__(self, service: str, link: ServerLink, subscriber: Subscriber) -> None:
        self._service = service
        self._link = link
        self._subscriber = subscriber
        self._stops: list[Callable[[], Awaitable[None]]] = []
        self._workers = WorkerPool(4)
        self._numbers = itertools.count(1)

    async def open(
        self,
        sockets: Recorder,
        *,
        size: int = 1_048_576,
        clients: int = 10_000,
        server: Kind = "granian",
        timings: Timings = DEFAULT_TIMINGS,
    ) -> Site:
        node = Node(RedisServer.from_url(self._link.address, timings=timings))
        node.id, node.link, node.subscriber = f"replica{next(self._numbers)}", self._link, self._subscriber
        hub = SocketHub(
            DaebusWebSocket(limits=WebSocketLimits(max_message_size=size, max_clients=clients)),
            self.routes(sockets),
            service=self._service,
            node=node,
            logger=make_logger(),
        )
        await hub.start()
        self._stops.append(hub.stop)
        app = litestar_of(lambda: hub, hooked=server == "hooked")
        port, stop = await (serve_uvicorn if server == "uvicorn" else serve_granian)(app)
        self._stops.append(stop)
        self._stops.append(lambda: hub.close_all(grace=1))
        return Site(hub, port)

    async def close(self) -> None:
        for stop in reversed(self._stops):
            await stop()
        self._workers.close()

    def routes(self, sockets: Recorder) -> SocketRoutes:
        messages: dict[str, Endpoint[bytes | None]] = {}
        connecting: Endpoint[bytes | None] | None = None
        disconnecting: list[Endpoint[object]] = []
        for spec in recorded(sockets):
            assert isinstance(spec, SocketSpec)
            endpoint = compile_handler(spec, containers.DynamicContainer(), self._workers)
            if spec.event == "message":
                messages[spec.type] = endpoint
            elif spec.event == "connect":
                connecting = endpoint
            else:
                disconnecting.append(endpoint)
        return SocketRoutes(messages, connecting, disconnecting)


@pytest.fixture
async def sites(service: str, link: ServerLink, subscriber: Subscriber) -> AsyncIterator[Sites]:
    sites = Sites(service, link, subscriber)
    yield sites
    await sites.close()


def litestar_of(hub: Callable[[], SocketHub], *, hooked: bool = False, **litestar: Any) -> Litestar:
    settings = DaebusHttp(openapi_config=None, before_send=[look] if hooked else [], **litestar)
    return build_litestar(
        settings,
        [],
        service="s",
        stopping=Stopping(),
        logger=make_logger(),
        extra_handlers=[socket_handler("/ws", hub)],
    )


looked: list[str] = []


async def look(message: AsgiMessage, scope: Scope) -> None:
    """A hook, because of which messages must pass through Litestar."""
    looked.append(message["type"])


async def serve_granian(app: Litestar) -> tuple[int, Callable[[], Awaitable[None]]]:
    server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger())
    return await server.start(), lambda: server.stop(1)


async def serve_uvicorn(app: Litestar) -> tuple[int, Callable[[], Awaitable[None]]]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical", ws="websockets-sansio"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))

    async def stop() -> None:
        server.should_exit = True
        await serving
        listener.close()

    await until(lambda: server.started)
    port: int = listener.getsockname()[1]
    return port, stop


async def tell(client: ClientConnection, kind: str, data: object = None, **more: object) -> None:
    await client.send(json.dumps({"type": kind, "data": data, **more}))


async def hear(client: ClientConnection) -> dict[str, object]:
    message: dict[str, object] = json.loads(await asyncio.wait_for(client.recv(), 5))
    return message


async def ask(client: ClientConnection, kind: str, data: object = None, **more: object) -> dict[str, object]:
    await tell(client, kind, data, **more)
    return await hear(client)


async def closed(client: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as over:
        await asyncio.wait_for(client.recv(), 5)
    frame = over.value.rcvd
    return (1006, "") if frame is None else (frame.code, frame.reason)


def error_of(message: Mapping[str, object]) -> dict[str, object]:
    assert message["type"] == "error"
    return msgspec.convert(message["data"], dict[str, object])


@asynccontextmanager
async def deaf(site: Site) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client that does not read, until it is told to."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", site.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    writer.write(upgrade())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a socket reads, too
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> list[dict[str, object]]:
    """What a deaf client hears once it reads: messages of more than 65,535 bytes."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
    writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
    messages: list[dict[str, object]] = []
    async with asyncio.timeout(20):
        for _ in range(count):
            head = await reader.readexactly(10)
            body = await reader.readexactly(int.from_bytes(head[2:], "big"))
            messages.append(msgspec.json.decode(body, type=dict[str, object]))
    return messages


def upgrade() -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /ws HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]).encode()


def frame(text: bytes) -> bytes:
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def add_echo(sockets: Recorder) -> None:
    @sockets.socket("echo")
    async def echo(data: Item) -> Item:
        return data


# Messages


async def test_a_message_is_decoded_handled_and_answered(sites: Sites, sockets: Recorder) -> None:
    add_echo(sockets)
    site = await sites.open(sockets)
    async with site.connect() as client:
        answer = await ask(client, "echo", {"name": "ä", "count": 2})
        assert answer == {"type": "response", "data": {"name": "ä", "count": 2}}


@pytest.mark.parametrize("asked", ["a1", 7, 0, ""])
async def test_an_answer_carries_the_id_of_its_message(sites: Sites, sockets: Recorder, asked: object) -> None:
    add_echo(sockets)
    site = await sites.open(sockets)
    async with site.connect() as client:
        assert (await ask(client, "echo", {"name": "a"}, id=asked))["id"] == asked
        wrong = await ask(client, "echo", {}, id=asked)
        assert (wrong["type"], wrong["id"]) == ("error", asked)


async def test_errors_tell_what_is_wrong_and_the_connection_goes_on(sites: Sites, sockets: Recorder) -> None:
    add_echo(sockets)

    @sockets.socket("find")
    async def find(data: str) -> Item:
        raise NotFound(f"No item {data}", details={"name": data})

    site = await sites.open(sockets, size=200)
    async with site.connect() as client:

        async def error(message: str | bytes) -> dict[str, object]:
            await client.send(message)
            return error_of(await hear(client))

        unknown = await error('{"type":"ecko","id":1}')
        assert unknown["code"] == "no_such_type"
        assert unknown["error"] == "There is no message type 'ecko'; did you mean 'echo'?"
        invalid = await error('{"type":"echo","data":{"name":"a","count":"b"}}')
        assert invalid["code"] == "bad_request"
        assert invalid["error"] == "Invalid value at `$.count`: expected `int`, got `str`"
        assert "not valid JSON" in str((await error("{"))["error"])
        assert "not valid JSON" in str((await error(b"\xff\xfe"))["error"])
        assert (await error("[]"))["error"] == "Invalid value at `$`: expected `object`, got `array`"
        assert "Missing value at `$.type`" in str((await error('{"data":1}'))["error"])
        large = await error(json.dumps({"type": "echo", "data": {"name": "ä" * 90}}, ensure_ascii=False))
        assert (large["code"], large["details"]) == ("too_large", {"limit": 200})
        missing = await error('{"type":"find","data":"a"}')
        assert missing == {"error": "No item a", "code": "not_found", "details": {"name": "a"}}
        assert (await ask(client, "echo", {"name": "b"}))["type"] == "response"


@pytest.mark.parametrize("message", ['{"id":"a","type":1}', '{"id":"a","data":2}', '{"id":"a","x":"' + "y" * 99 + '"}'])
async def test_an_error_carries_the_id_of_a_message_that_cannot_be_read(
    sites: Sites, sockets: Recorder, message: str
) -> None:
    site = await sites.open(sockets, size=100)
    async with site.connect() as client:
        await client.send(message)
        assert (await hear(client))["id"] == "a"


async def test_an_unexpected_exception_is_logged_and_not_told(
    sites: Sites, sockets: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    @sockets.socket("break")
    async def fail() -> None:
        raise ValueError("a secret")

    site = await sites.open(sockets)
    async with site.connect() as client:
        error = error_of(await ask(client, "break", id=1))
        assert error["code"] == "internal"
        assert "secret" not in str(error)
        request_id = str(error["error"]).rsplit(" ", 1)[1]
        assert request_id in caplog.text
        assert "a secret" in caplog.text


async def test_a_handler_that_is_cancelled_by_itself_is_an_error_and_no_end(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket("cancel")
    async def cancel() -> None:
        raise asyncio.CancelledError

    site = await sites.open(sockets)
    async with site.connect() as client:
        assert error_of(await ask(client, "cancel"))["code"] == "internal"
        assert error_of(await ask(client, "cancel"))["code"] == "internal"


async def test_what_cannot_be_encoded_is_an_error(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket("odd")
    async def odd() -> Item:
        raise NotFound("Gone", details={"odd": object()})

    site = await sites.open(sockets)
    async with site.connect() as client:
        assert error_of(await ask(client, "odd"))["code"] == "not_found"


async def test_nothing_is_answered_where_nothing_is_returned_and_nothing_asked(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket("note")
    async def note(data: str) -> None: ...

    @sockets.socket("look")
    async def look() -> Item | None:
        return None

    site = await sites.open(sockets)
    async with site.connect() as client:
        await tell(client, "note", "a")
        assert await ask(client, "look") == {"type": "response", "data": None}
        assert await ask(client, "note", "b", id="n1") == {"type": "response", "data": None, "id": "n1"}


async def test_a_def_handler_runs_in_a_thread(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket("where")
    def where(data: str, client: Client, context: Context) -> list[str]:
        return [data, client.id, context.handler, threading.current_thread().name]

    site = await sites.open(sockets)
    async with site.connect() as client:
        data = msgspec.convert((await ask(client, "where", "a"))["data"], list[str])
        assert data[0] == "a"
        assert data[1].startswith("replica1-")
        assert data[2] == "socket where"
        assert data[3].startswith("daebus-worker")


async def test_messages_of_one_client_are_handled_in_order_and_of_two_at_once(sites: Sites, sockets: Recorder) -> None:
    go_on = asyncio.Event()

    @sockets.socket("wait")
    async def wait() -> str:
        await go_on.wait()
        return "waited"

    add_echo(sockets)
    site = await sites.open(sockets)
    async with site.connect() as one, site.connect() as two:
        await tell(one, "wait")
        for count in range(50):
            await tell(one, "echo", {"name": "a", "count": count})
        assert (await ask(two, "echo", {"name": "b"}))["type"] == "response"
        go_on.set()
        assert (await hear(one))["data"] == "waited"
        for count in range(50):
            assert (await hear(one))["data"] == {"name": "a", "count": count}


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
async def test_two_megabytes_go_both_ways(sites: Sites, sockets: Recorder, server: Kind) -> None:
    add_echo(sockets)
    site = await sites.open(sockets, size=4_000_000, server=server)
    async with site.connect() as client:
        item = {"name": "x" * 2_000_000, "count": 0}
        assert (await ask(client, "echo", item))["data"] == item


# Connecting


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
async def test_a_connect_handler_gets_typed_parameters_and_greets(
    sites: Sites, sockets: Recorder, server: Kind
) -> None:
    @sockets.socket_connect()
    async def on_connect(params: Params, client: Client) -> Welcome:
        assert client.headers["x-origin"] == "here"
        await client.send(NEWS, Item("early"))
        return Welcome(params.room, params.tags, params.admin)

    site = await sites.open(sockets, server=server)
    async with site.connect("room=1&room=%37&tags=a&tags=b&admin=true", **{"X-Origin": "here"}) as client:
        assert await hear(client) == {"type": "news", "data": {"name": "early", "count": 0}}
        welcome = {"room": 7, "tags": ["a", "b"], "admin": True}
        assert await hear(client) == {"type": "response", "data": welcome}


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
async def test_a_client_is_refused_with_the_status_of_the_error(
    sites: Sites, sockets: Recorder, server: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    left: list[str] = []

    @sockets.socket_connect()
    async def on_connect(params: dict[str, str], client: Client) -> None:
        match params.get("do"):
            case "reject":
                raise Reject("bad token")
            case "forbid":
                raise Forbidden("not you", details={"need": "admin"})
            case "close":
                await client.close("go away")
            case _:
                raise ValueError("a secret")

    @sockets.socket_disconnect()
    async def on_disconnect(client: Client) -> None:
        left.append(client.id)

    site = await sites.open(sockets, server=server)
    status, error = await site.refusal("do=reject")
    assert (status, error["code"], error["detail"]) == (401, "rejected", "bad token")
    status, error = await site.refusal("do=forbid")
    assert (status, error["code"], error["details"]) == (403, "forbidden", {"need": "admin"})
    status, error = await site.refusal("do=close")
    assert (status, error["code"], error["detail"]) == (401, "rejected", "go away")
    status, error = await site.refusal()
    assert (status, error["code"]) == (500, "internal")
    assert "secret" not in str(error)
    assert "a secret" in caplog.text
    assert str(error["request_id"]) in caplog.text
    assert await site.hub.clients.connected() == []
    assert left == []


async def test_wrong_parameters_refuse_the_client(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket_connect()
    async def on_connect(params: Params) -> None: ...

    site = await sites.open(sockets)
    status, error = await site.refusal("room=x")
    assert (status, error["code"]) == (400, "bad_request")
    assert error["detail"] == "Invalid query parameter `room`: expected `int`, got `str`"
    status, error = await site.refusal()
    assert (status, error["detail"]) == (400, "The query parameter `room` is missing, expected `int`")


async def test_parameters_that_no_query_string_can_hold_are_a_wiring_error(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket_connect()
    async def on_connect(params: list[str]) -> None: ...

    with pytest.raises(WiringError, match=r"cannot be decoded from a query string: .* need a struct or a dict"):
        sites.routes(sockets)


async def test_a_server_that_cannot_explain_a_refusal_gets_a_close_code(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket_connect()
    async def on_connect() -> None:
        raise Reject("bad token")

    site = await sites.open(sockets)
    sent: list[dict[str, object]] = []

    async def receive() -> Mapping[str, object]:
        return {"type": "websocket.connect"}

    async def send(event: dict[str, object]) -> None:
        sent.append(event)

    await site.hub.serve(Handshake(query=b"", headers={}, request_id="r", explains=False, receive=receive, send=send))
    assert sent == [{"type": "websocket.close", "code": 4401, "reason": "bad token"}]


def no_hub() -> SocketHub:
    raise Unavailable("The service does not run")


@asynccontextmanager
async def refusing(server: Kind = "granian", **litestar: Any) -> AsyncGenerator[str]:
    """A service that lets nobody in; yields its host and port."""
    app = litestar_of(no_hub, hooked=server == "hooked", **litestar)
    port, stop = await (serve_uvicorn if server == "uvicorn" else serve_granian)(app)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await stop()


async def refusal(url: str) -> tuple[int, dict[str, object]]:
    """With what a client is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    response = refused.value.response
    problem: dict[str, object] = json.loads(response.body)
    assert problem["status"] == response.status_code
    assert problem["request_id"]
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, problem


async def test_a_service_that_does_not_run_refuses() -> None:
    async with refusing() as host:
        assert (await refusal(f"ws://{host}/ws"))[0] == 503


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
@pytest.mark.parametrize("path", ["/wss", "/ws/more", "/plain", "/"])
async def test_where_there_is_no_websocket_a_client_is_told_so(server: Kind, path: str) -> None:
    async with refusing(server, route_handlers=[get("/plain")(plain)]) as host:
        status, problem = await refusal(f"ws://{host}{path}")
    assert (status, problem["code"], problem["detail"]) == (404, "not_found", f"There is no WebSocket at {path}")


async def plain() -> None: ...


async def test_a_server_that_cannot_explain_gets_a_close_code_where_there_is_no_websocket() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(event: Any) -> None:
        sent.append(event)

    scope: Any = {"type": "websocket", "path": "/wss", "query_string": b"", "headers": []}
    await litestar_of(no_hub)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 4404, "reason": "There is no WebSocket at /wss"}]


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
async def test_what_guards_raise_reaches_the_client(server: Kind, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception] = []

    def guard(_: object, __: object) -> None:
        raise errors.pop()

    async with refusing(server, guards=[guard]) as host:

        async def refused_for(error: Exception) -> tuple[int, object, object]:
            errors.append(error)
            status, problem = await refusal(f"ws://{host}/ws")
            return status, problem["code"], problem["detail"]

        assert await refused_for(NotAuthorizedException("no token")) == (401, "unauthorized", "no token")
        assert await refused_for(Forbidden("not you")) == (403, "forbidden", "not you")
        assert await refused_for(ClientException("odd", status_code=418)) == (403, "forbidden", "odd")
        assert not caplog.records
        status, code, detail = await refused_for(ValueError("a secret"))
    assert (status, code) == (500, "internal")
    assert "secret" not in str(detail)
    assert "a secret" in caplog.text
    assert str(detail).rsplit(" ", 1)[1] in caplog.text


async def test_a_websocket_of_litestars_that_fails_later_is_closed_by_litestar() -> None:
    async def fail(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        raise ValueError("a secret")

    async with (
        refusing(route_handlers=[WebsocketRouteHandler("/own")(fail)]) as host,
        connect(f"ws://{host}/own") as client,
    ):
        assert (await closed(client))[0] == 4500


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_http_on_the_path_of_websockets_is_told_to_upgrade(method: str) -> None:
    async with refusing() as host, httpx.AsyncClient() as client:
        response = await client.request(method, f"http://{host}/ws")
    problem = response.json()
    assert (response.status_code, response.headers["upgrade"]) == (426, "websocket")
    assert (problem["code"], problem["detail"]) == ("upgrade_required", "/ws takes WebSocket connections only")


async def test_a_path_with_http_and_websockets_allows_only_methods_of_http() -> None:
    async with refusing(route_handlers=[get("/ws")(plain)]) as host, httpx.AsyncClient() as client:
        response = await client.post(f"http://{host}/ws")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "OPTIONS"}
    assert "websocket" not in response.json()["detail"]


async def test_a_client_that_is_gone_before_the_accept_is_no_client(sites: Sites, sockets: Recorder) -> None:
    entered, go_on, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @sockets.socket_connect()
    async def on_connect() -> None:
        entered.set()
        await go_on.wait()

    @sockets.socket_disconnect()
    async def on_disconnect() -> None:
        left.set()

    site = await sites.open(sockets)
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(upgrade())
    await entered.wait()
    writer.transport.abort()
    go_on.set()
    await site.hub.close_all(grace=1)
    assert await site.hub.clients.connected() == []


# Notes


async def test_handlers_note_what_they_know_of_a_client(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket_connect()
    async def on_connect(params: dict[str, str], client: Client) -> None:
        client.state[Member] = Member(params["name"])
        client.state["room"] = "lobby"

    @sockets.socket("who")
    async def who(client: Client) -> str:
        assert "room" in client.state
        assert client.state.get("none") is None
        assert client.state.get(Params) is None
        return f"{client.state[Member].name} in {client.state['room']}"

    site = await sites.open(sockets)
    async with site.connect("name=ann") as ann, site.connect("name=bob") as bob:
        assert (await ask(ann, "who"))["data"] == "ann in lobby"
        assert (await ask(bob, "who"))["data"] == "bob in lobby"


async def test_a_note_under_a_type_is_of_that_type() -> None:
    state = Client("c", Nobody(), {}).state
    with pytest.raises(TypeError, match="must be a Member"):
        state[Member] = Item("a")
    state["a"] = 1
    del state["a"]
    with pytest.raises(KeyError):
        state["a"]


class Nobody:
    async def send(self, text: str) -> None: ...
    async def deliver(self, text: str) -> bool:
        return False

    def post(self, text: str) -> None: ...
    def disconnect(self, reason: str) -> None: ...


# Pushing


async def test_a_handler_sends_before_it_answers(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket("count")
    async def count(data: int, client: Client) -> str:
        for number in range(data):
            await client.send(NEWS, Item("n", number))
        return "done"

    site = await sites.open(sockets)
    async with site.connect() as client:
        await tell(client, "count", 3000)
        for number in range(3000):
            assert await hear(client) == {"type": "news", "data": {"name": "n", "count": number}}
        assert (await hear(client))["data"] == "done"


async def test_clients_are_reached_over_all_replicas(
    sites: Sites, sockets: Recorder, link: ServerLink, service: str
) -> None:
    @sockets.socket("id")
    async def tell_id(client: Client) -> str:
        return client.id

    here, there = await sites.open(sockets), await sites.open(sockets)
    elsewhere = Clients(Replicas(link, service))
    async with here.connect() as one, there.connect() as two:
        ids = [str((await ask(client, "id"))["data"]) for client in (one, two)]
        for clients in (here.hub.clients, there.hub.clients, elsewhere):
            assert await clients.connected() == sorted(ids)
            await clients.broadcast(NEWS, Item("all"))
            for client_id in ids:
                assert await clients.send(client_id, NEWS, Item("you"))
            assert not await clients.send("nobody", NEWS, Item("lost"))
        for client in (one, two):
            # What one replica sends comes in order; what two send, in any.
            names = [error_free(await hear(client))["name"] for _ in range(6)]
            assert sorted(map(str, names)) == ["all"] * 3 + ["you"] * 3
        await elsewhere.disconnect(ids[0], "kicked")
        assert await closed(one) == (1000, "kicked")
        await here.hub.clients.disconnect(ids[1])
        assert await closed(two) == (1000, "")
        await until(lambda: nobody(elsewhere))
        await elsewhere.disconnect("nobody")


def error_free(message: Mapping[str, object]) -> dict[str, object]:
    assert message["type"] == "news"
    return msgspec.convert(message["data"], dict[str, object])


async def nobody(clients: Clients) -> bool:
    return await clients.connected() == []


async def test_a_client_is_known_everywhere_once_it_is_greeted(sites: Sites, sockets: Recorder) -> None:
    @sockets.socket_connect()
    async def on_connect(client: Client) -> str:
        return client.id

    here, there = await sites.open(sockets), await sites.open(sockets)
    for _ in range(20):
        async with here.connect() as client:
            client_id = str((await hear(client))["data"])
            assert client_id in await there.hub.clients.connected()
            assert await there.hub.clients.send(client_id, NEWS, Item("hi"))
            assert (await hear(client))["type"] == "news"


async def test_a_client_that_leaves_is_gone_for_its_disconnect_handlers(sites: Sites, sockets: Recorder) -> None:
    found: list[list[str]] = []

    @sockets.socket_disconnect()
    async def on_disconnect() -> None:
        found.append(await there.hub.clients.connected())

    here, there = await sites.open(sockets), await sites.open(sockets)
    async with here.connect():
        pass
    await until(lambda: found)
    assert found == [[]]


async def test_the_registry_forgets_the_dead_and_finds_the_living_again(
    sites: Sites, sockets: Recorder, link: ServerLink, service: str
) -> None:
    site = await sites.open(sockets, timings=Timings(tend=0.01))
    elsewhere = Clients(Replicas(link, service))
    async with site.connect():
        await until(elsewhere.connected)
        (alive,) = await elsewhere.connected()
        await link.execute("DEL", client_registry(service))
        await link.execute("ZADD", client_registry(service), 1, "ghost")
        assert not await elsewhere.send("ghost", NEWS, Item("boo"))
        assert "ghost" not in await elsewhere.connected()
        await until(lambda: is_registered(link, service, alive))
        await until(lambda: is_forgotten(link, service, "ghost"))
        assert await elsewhere.connected() == [alive]


async def test_the_registry_is_written_again_at_once_where_it_may_be_lost(
    sites: Sites, sockets: Recorder, link: ServerLink, service: str
) -> None:
    site = await sites.open(sockets)
    async with site.connect():
        await until(site.hub.clients.connected)
        (alive,) = await site.hub.clients.connected()
        await link.execute("DEL", client_registry(service))
        site.hub.renew_soon()
        await until(lambda: is_registered(link, service, alive))


async def is_forgotten(link: ServerLink, service: str, client_id: str) -> bool:
    return not await is_registered(link, service, client_id)


async def is_registered(link: ServerLink, service: str, client_id: str) -> bool:
    return await link.execute("ZSCORE", client_registry(service), client_id) is not None


async def test_clients_connect_and_talk_while_the_server_is_away(
    sockets: Recorder, service: str, url: str, subscriber: Subscriber
) -> None:
    add_echo(sockets)
    away = ServerLink(RedisServer.from_url(url))  # never opened
    sites = Sites(service, away, subscriber)
    site = await sites.open(sockets)
    async with site.connect() as client:
        assert (await ask(client, "echo", {"name": "a"}))["type"] == "response"
        with pytest.raises(Unavailable):
            await site.hub.clients.broadcast(NEWS, Item("b"))
        assert (await hear(client))["type"] == "news"
    await sites.close()


# Leaving


def add_parting(sockets: Recorder) -> list[str]:
    """Disconnect handlers, of which the first two fail and the others note the client."""
    left: list[str] = []

    @sockets.socket_disconnect()
    async def fails(client: Client) -> None:
        raise ValueError(client.id)

    @sockets.socket_disconnect()
    async def refuses() -> None:
        raise NotFound("nothing to clean")

    @sockets.socket_disconnect()
    async def notes(client: Client) -> None:
        left.append(f"async {client.id}")

    @sockets.socket_disconnect()
    def notes_too(client: Client) -> None:
        left.append(f"def {client.id}")

    return left


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
@pytest.mark.parametrize("end", ["close", "abort", "stop", "self"])
async def test_the_disconnect_handlers_run_once_however_a_client_goes(
    sites: Sites, sockets: Recorder, server: Kind, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    left = add_parting(sockets)

    @sockets.socket("bye")
    async def bye(client: Client) -> str:
        await client.close("as you wish")
        return client.id

    site = await sites.open(sockets, server=server)
    async with site.connect() as client:
        await until(site.hub.clients.connected)
        (client_id,) = await site.hub.clients.connected()
        match end:
            case "close":
                await client.close()
            case "abort":
                client.transport.abort()
            case "stop":
                await site.hub.close_all("See you", grace=1)
                assert await closed(client) == (1001, "See you")
            case _:
                assert (await ask(client, "bye"))["data"] == client_id
                assert await closed(client) == (1000, "as you wish")
        await until(lambda: len(left) == 2)
    await site.hub.close_all(grace=1)
    assert left == [f"async {client_id}", f"def {client_id}"]
    assert caplog.text.count("handler failed") == 2
    assert await site.hub.clients.connected() == []


async def test_messages_sent_before_a_close_are_handled(sites: Sites, sockets: Recorder) -> None:
    handled: list[int] = []

    @sockets.socket("note")
    async def note(data: int) -> None:
        await asyncio.sleep(0)
        handled.append(data)

    @sockets.socket_disconnect()
    async def on_disconnect() -> None:
        handled.append(-1)

    site = await sites.open(sockets)
    async with site.connect() as client:
        for number in range(100):
            await tell(client, "note", number)
    await until(lambda: handled[-1:] == [-1])
    assert handled == [*range(100), -1]


async def test_at_the_stop_the_handlers_finish_and_are_answered(sites: Sites, sockets: Recorder) -> None:
    started, go_on, events = asyncio.Event(), asyncio.Event(), list[str]()

    @sockets.socket("work")
    async def work() -> str:
        started.set()
        await go_on.wait()
        events.append("handled")
        return "worked"

    @sockets.socket_disconnect()
    async def on_disconnect() -> None:
        events.append("left")

    site = await sites.open(sockets)
    async with site.connect() as busy, site.connect() as idle:
        await tell(busy, "work")
        await started.wait()
        stopping = asyncio.create_task(site.hub.close_all(grace=5))
        assert (await closed(idle))[0] == 1001
        assert (await site.refusal())[0] == 503
        go_on.set()
        assert (await hear(busy))["data"] == "worked"
        assert (await closed(busy))[0] == 1001
        await stopping
    assert sorted(events) == ["handled", "left", "left"]


async def test_handlers_that_do_not_end_are_cancelled_after_the_grace(sites: Sites, sockets: Recorder) -> None:
    started, never, events = asyncio.Event(), asyncio.Event(), list[str]()

    @sockets.socket("work")
    async def work() -> None:
        started.set()
        try:
            await never.wait()
        finally:
            events.append("cancelled")

    @sockets.socket_disconnect()
    async def hangs() -> None:
        try:
            await never.wait()
        finally:
            events.append("hung")

    @sockets.socket_disconnect()
    async def on_disconnect() -> None:
        events.append("left")

    site = await sites.open(sockets)
    async with site.connect() as client:
        await tell(client, "work")
        await started.wait()
        await site.hub.close_all(grace=0.05, cut=0.1)
        assert (await closed(client))[0] == 1001
    assert events == ["cancelled", "hung", "left"]


async def test_a_connect_handler_that_does_not_end_is_cancelled_after_the_grace(
    sites: Sites, sockets: Recorder
) -> None:
    started, never = asyncio.Event(), asyncio.Event()

    @sockets.socket_connect()
    async def on_connect() -> None:
        started.set()
        await never.wait()

    site = await sites.open(sockets)
    refusal = asyncio.create_task(site.refusal())
    await started.wait()
    await site.hub.close_all(grace=0.05)
    assert (await refusal)[0] == 503


async def test_a_long_handler_is_cancelled_some_time_after_its_client_went(sites: Sites, sockets: Recorder) -> None:
    started, events = asyncio.Event(), list[str]()

    @sockets.socket("ticks")
    async def ticks(client: Client) -> None:
        try:
            while True:
                await client.send(NEWS, Item("tick"))
                started.set()
        finally:
            events.append("cancelled")

    @sockets.socket_disconnect()
    async def on_disconnect() -> None:
        events.append("left")

    site = await sites.open(sockets, timings=Timings(tend=0.01, finish=0.05))
    async with site.connect() as client:
        await tell(client, "ticks")
        await started.wait()
        await hear(client)
        client.transport.abort()
        await until(lambda: len(events) == 2)
    assert events == ["cancelled", "left"]


async def test_what_is_sent_while_a_handler_runs_for_long_is_kept(sites: Sites, sockets: Recorder) -> None:
    add_echo(sockets)

    @sockets.socket("work")
    async def work() -> str:
        await asyncio.sleep(0.1)
        return "worked"

    site = await sites.open(sockets, timings=Timings(tend=0.005))
    async with site.connect() as client:
        for _ in range(2):
            await tell(client, "work")
            for count in range(40):
                await tell(client, "echo", {"name": "a", "count": count})
            assert (await hear(client))["data"] == "worked"
            for count in range(40):
                assert (await hear(client))["data"] == {"name": "a", "count": count}


async def test_a_single_message_after_a_long_handler_is_answered_at_once(sites: Sites, sockets: Recorder) -> None:
    add_echo(sockets)

    @sockets.socket("work")
    async def work() -> str:
        await asyncio.sleep(0.1)
        return "worked"

    site = await sites.open(sockets, timings=Timings(tend=0.005))
    async with site.connect() as client:
        assert (await ask(client, "work"))["data"] == "worked"
        for count in range(3):
            assert (await ask(client, "echo", {"name": "a", "count": count}))["data"] == {"name": "a", "count": count}


async def test_no_more_clients_are_let_in_than_may_be(sites: Sites, sockets: Recorder) -> None:
    add_echo(sockets)
    site = await sites.open(sockets, clients=2)
    async with site.connect() as first:
        async with site.connect():
            status, problem = await site.refusal()
            assert (status, problem["code"]) == (503, "unavailable")
            assert problem["detail"] == "2 clients are connected to this process, and it takes no more"
            assert (await ask(first, "echo", {"name": "a"}))["data"] == {"name": "a", "count": 0}
        await until(lambda: site.is_down_to(1))
        async with site.connect() as third:
            assert (await ask(third, "echo", {"name": "b"}))["data"] == {"name": "b", "count": 0}


async def test_a_client_that_is_disconnected_is_not_heard_any_more(sites: Sites, sockets: Recorder) -> None:
    handled: list[int] = []

    @sockets.socket("kick")
    async def kick(data: int, client: Client) -> None:
        handled.append(data)
        await client.close("x" * 200)

    site = await sites.open(sockets)
    async with site.connect() as client:
        for number in range(10):
            await tell(client, "kick", number)
        assert await closed(client) == (1000, "x" * 123)
    assert handled == [0]


# Slow clients


async def test_a_client_that_does_not_read_is_no_burden_to_others(
    sites: Sites, sockets: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    left: list[str] = []

    @sockets.socket_disconnect()
    async def on_disconnect(client: Client) -> None:
        left.append(client.id)

    site = await sites.open(sockets, timings=Timings(close=0.1))
    async with deaf(site):
        await until(site.hub.clients.connected)
        (slow,) = await site.hub.clients.connected()
        async with site.connect() as client:
            await until(lambda: all_of(site.hub.clients, 2))
            big = Item("x" * 500_000)
            for _ in range(100):
                async with asyncio.timeout(1):
                    await site.hub.clients.broadcast(NEWS, big)
                assert (await hear(client))["type"] == "news"
                if left:
                    break
            await until(lambda: left)
            assert left == [slow]
            assert caplog.text.count("reads too slowly") == 1
            await site.hub.clients.broadcast(NEWS, Item("last"))
            assert (await hear(client))["type"] == "news"


async def all_of(clients: Clients, count: int) -> bool:
    return len(await clients.connected()) == count


@pytest.mark.parametrize("server", ["granian", "hooked"])
async def test_a_client_that_does_not_read_its_answer_is_disconnected(
    sites: Sites, sockets: Recorder, server: Kind
) -> None:
    left: list[str] = []

    @sockets.socket("big")
    async def big() -> str:
        return "x" * 15_000_000

    @sockets.socket_disconnect()
    async def on_disconnect(client: Client) -> None:
        left.append(client.id)

    site = await sites.open(sockets, server=server, timings=Timings(tend=0.01, stuck=0.1, close=0.1))
    async with deaf(site) as (_, writer):
        writer.write(frame(b'{"type":"big"}') * 3)
        await until(lambda: left)


@pytest.mark.parametrize("server", ["granian", "hooked"])
async def test_the_next_message_is_handled_once_the_server_has_taken_the_answer(
    sites: Sites, sockets: Recorder, server: Kind
) -> None:
    handled: list[str] = []

    @sockets.socket("big")
    async def big() -> str:
        handled.append("big")
        return "x" * 15_000_000

    @sockets.socket("note")
    async def note() -> None:
        handled.append("note")

    site = await sites.open(sockets, server=server)
    async with deaf(site) as (reader, writer):
        writer.write(frame(b'{"type":"big"}') + frame(b'{"type":"big"}') + frame(b'{"type":"note"}'))
        await until(lambda: handled == ["big"])
        for _ in range(10):
            await site.hub.clients.connected()
        assert handled == ["big"]
        await read_all(reader, writer, 2)
        await until(lambda: handled == ["big", "big", "note"])


@pytest.mark.parametrize("server", ["granian", "hooked"])
async def test_a_message_is_whole_though_its_handler_has_waited_for_it_no_longer(
    sites: Sites, sockets: Recorder, server: Kind
) -> None:
    late: list[bool] = []

    @sockets.socket("big")
    async def big(client: Client) -> None:
        try:
            async with asyncio.timeout(0.05):
                await client.send(NEWS, Item("x" * 15_000_000))
                await client.send(NEWS, Item("y" * 15_000_000))
        except TimeoutError:
            late.append(True)

    site = await sites.open(sockets, server=server)
    async with deaf(site) as (reader, writer):
        writer.write(frame(b'{"type":"big"}'))
        await until(lambda: late)
        messages = await read_all(reader, writer, 2)
    assert [message["data"] for message in messages] == [{"name": text * 15_000_000, "count": 0} for text in "xy"]


@pytest.mark.parametrize("server", ["granian", "hooked"])
@pytest.mark.parametrize(("asked", "busy"), [(1, True), (1, False), (2, False)])
async def test_a_client_that_does_not_read_its_answer_does_not_hold_up_the_stop(
    sites: Sites,
    sockets: Recorder,
    server: Kind,
    caplog: pytest.LogCaptureFixture,
    asked: int,
    *,
    busy: bool,
) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    @sockets.socket("big")
    async def big() -> str:
        begun.set()
        await released.wait()
        return "x" * 15_000_000

    site = await sites.open(sockets, server=server, timings=Timings(close=0.1))
    async with deaf(site) as (_, writer):
        writer.write(frame(b'{"type":"big"}') * asked)
        await begun.wait()
        if not busy:
            released.set()
            await asyncio.sleep(0.01)  # the answers are on their way now; if not, it is right as well
        stopping = asyncio.create_task(site.hub.close_all(grace=60))
        await asyncio.sleep(0)
        released.set()
        async with asyncio.timeout(15):
            await stopping
    assert "are cancelled" not in caplog.text


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
async def test_what_waits_for_a_client_comes_before_its_connection_is_closed(
    sites: Sites, sockets: Recorder, server: Kind
) -> None:
    @sockets.socket("flood")
    async def flood(client: Client) -> None:
        for number in range(30):
            await site.hub.clients.send(client.id, NEWS, Item("x" * 200_000, number))
        await client.close("enough")

    site = await sites.open(sockets, server=server)
    async with site.connect() as client:
        await tell(client, "flood")
        for number in range(30):
            assert error_free(await hear(client))["count"] == number
        assert await closed(client) == (1000, "enough")


@pytest.mark.parametrize("server", ["granian", "hooked", "uvicorn"])
async def test_all_that_goes_to_a_client_comes_in_order(sites: Sites, sockets: Recorder, server: Kind) -> None:
    numbers = itertools.count()

    @sockets.socket("mixed")
    async def mixed(client: Client) -> Item:
        clients = site.hub.clients
        await clients.broadcast(NEWS, Item("all", next(numbers)))
        await client.send(NEWS, Item("one", next(numbers)))
        await clients.broadcast(NEWS, Item("all", next(numbers)))
        return Item("answer", next(numbers))

    looked.clear()
    site = await sites.open(sockets, server=server)
    async with site.connect() as client:
        for _ in range(100):
            await tell(client, "mixed")
        for count in range(400):
            assert (await hear(client))["data"] == {"name": ["all", "one", "all", "answer"][count % 4], "count": count}
    assert looked.count("websocket.send") == (400 if server == "hooked" else 0)


def outbox_of(send: Callable[[dict[str, object]], Awaitable[None]]) -> Outbox:
    async def receive() -> Mapping[str, object]:
        raise AssertionError

    handshake = Handshake(query=b"", headers={}, request_id="r", explains=False, receive=receive, send=send)
    return Outbox(handshake, lambda: None, Budget(1 << 20))


async def test_whoever_sends_and_sends_holds_up_nobody_though_the_server_takes_all_at_once() -> None:
    sent: list[object] = []
    turns = 0

    def send(message: dict[str, object]) -> Awaitable[None]:
        sent.append(message["text"])
        taken = asyncio.get_running_loop().create_future()
        taken.set_result(None)
        return taken

    async def other() -> None:
        nonlocal turns
        while len(sent) < 100:
            turns += 1
            await asyncio.sleep(0)

    fast = outbox_of(send)
    fast.open()
    others = asyncio.create_task(other())
    for number in range(100):
        await fast.deliver(str(number))
    await others
    assert sent == [str(number) for number in range(100)]
    assert turns >= 99


async def test_what_is_delivered_waits_for_what_the_server_is_taking() -> None:
    taking: list[asyncio.Future[None]] = []

    def send(_: dict[str, object]) -> Awaitable[None]:
        taking.append(asyncio.get_running_loop().create_future())
        return taking[-1]

    slow = outbox_of(send)
    slow.open()
    await slow.deliver("first")
    assert not slow.offer("not taken")
    second = asyncio.create_task(slow.deliver("second"))
    await asyncio.sleep(0)
    assert (len(taking), second.done()) == (1, False)
    taking[0].set_result(None)
    await asyncio.wait_for(second, 5)
    drained = asyncio.create_task(slow.drain())
    await asyncio.sleep(0)
    assert (len(taking), drained.done()) == (2, False)
    taking[1].set_result(None)
    await asyncio.wait_for(drained, 5)


async def test_a_server_that_takes_no_more_is_no_trouble_for_whoever_sends() -> None:
    def send(_: dict[str, object]) -> Awaitable[None]:
        raise RuntimeError("The request is over")

    gone = outbox_of(send)
    gone.post("waits")
    gone.open()
    gone.post("dropped")
    async with asyncio.timeout(5):
        await gone.deliver("dropped")
        await gone.drain()
    assert not gone.offer("dropped")
    assert not gone.is_stuck(0)


async def test_a_burst_of_messages_is_no_sign_of_a_slow_client(sites: Sites, sockets: Recorder) -> None:
    here, there = await sites.open(sockets), await sites.open(sockets)
    async with here.connect() as client:
        await until(here.hub.clients.connected)
        await asyncio.gather(*[there.hub.clients.broadcast(NEWS, Item("n", count)) for count in range(2500)])
        for count in range(2500):
            assert error_free(await hear(client))["count"] == count
