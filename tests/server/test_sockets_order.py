"""WebSocket connections by RFC 6455: whose they are, how they end, and what becomes of slow but honest clients."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest
from tests.server.test_sockets_limits import HANDSHAKE, closed, heard, raw, serving
from tests.support import until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from daebus.server.limits import SocketLimits
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

MiB = 1 << 20


def opened(server: HttpServer) -> dict[Any, Any]:
    """The connections that were taken over from Granian."""
    return cast("dict[Any, Any]", cast("Any", server)._sockets._open)


def masked(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload


async def path_echo(scope: Any, receive: Any, send: Any) -> None:
    """Tells each client what it has asked for."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": scope["path"]})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def connected_from(host: str, port: int, to: str, to_port: int) -> socket.socket:
    """A client whose end of the connection is the same as that of another one, to another address of the server."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((host, port))
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, (to, to_port))
    return client


async def everything(client: socket.socket, until_said: bytes) -> bytes:
    got = b""
    async with asyncio.timeout(5):
        while until_said not in got:
            data = await asyncio.get_running_loop().sock_recv(client, 65_536)
            if not data:
                break
            got += data
    return got


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_connections_whose_client_ends_look_alike_are_never_mistaken_for_one_another(host: str) -> None:
    server = HttpServer(path_echo, host=host, port=0, logger=make_logger())
    port, loop = await server.start(), asyncio.get_running_loop()
    names = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] if host == "0.0.0.0" else ["127.0.0.1"]
    first = await connected_from("127.0.0.1", 0, names[0], port)
    clients = [first] + [await connected_from("127.0.0.1", first.getsockname()[1], name, port) for name in names[1:]]
    try:
        for number, client in enumerate(clients):
            request = HANDSHAKE.replace(b"/ws", b"/for-%d" % number)
            await loop.sock_sendall(client, request)
        said = await asyncio.gather(*(everything(client, b"/for-") for client in clients))
        for number, answer in enumerate(said):
            heard_of = [other for other in range(len(clients)) if b"/for-%d" % other in answer]
            assert heard_of in ([], [number])  # whoever cannot be told from another one is disconnected
        async with connect(f"ws://127.0.0.1:{port}/next") as other:  # none of them
            assert await asyncio.wait_for(other.recv(), 5) == "/next"
    finally:
        for client in clients:
            client.close()
        await server.stop(1)


@pytest.mark.parametrize("host", ["::", "::1"])
async def test_clients_of_ipv6_sockets_are_found(host: str) -> None:
    found: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await path_echo(scope, receive, send)

    server = HttpServer(app, host=host, port=0, logger=make_logger())
    port = await server.start()
    try:
        for url in ["ws://[::1]", *(["ws://127.0.0.1"] if host == "::" else [])]:
            async with connect(f"{url}:{port}/x") as client:
                assert await asyncio.wait_for(client.recv(), 5) == "/x"
                found.append(bool(opened(server)))
        assert all(found)
    finally:
        await server.stop(1)


async def test_an_application_that_rewrites_the_client_gets_no_other_connection() -> None:
    before: list[tuple[str, int]] = []

    async def behind_proxy(scope: Any, receive: Any, send: Any) -> None:
        scope["client"] = before[0]  # as middleware does that believes X-Forwarded-For
        await path_echo(scope, receive, send)

    async with serving(app=behind_proxy) as port:
        other = await connected_from("127.0.0.1", 0, "127.0.0.1", port)
        before.append(other.getsockname())
        async with connect(f"ws://127.0.0.1:{port}/mine") as client:
            assert await asyncio.wait_for(client.recv(), 5) == "/mine"
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(100)
        other.close()


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", None),
        (b"\x03", 1002),  # half of a code
        ((1000).to_bytes(2), 1000),
        ((4999).to_bytes(2), 4999),
        ((999).to_bytes(2), 1002),
        ((1004).to_bytes(2), 1002),
        ((1005).to_bytes(2), 1002),
        ((1006).to_bytes(2), 1002),
        ((1015).to_bytes(2), 1002),
        ((2999).to_bytes(2), 1002),
        ((5000).to_bytes(2), 1002),
        ((1000).to_bytes(2) + b"\xff", 1007),
    ],
)
async def test_the_clients_close_frame_is_checked_and_answered(payload: bytes, code: int | None) -> None:
    async with serving() as port, raw(port) as (reader, writer):
        writer.write(masked(8, payload))
        opcode, answer = await heard(reader)
        assert opcode == 8
        assert answer[:2] == (b"" if code is None else code.to_bytes(2))
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_what_came_before_a_broken_frame_is_still_answered() -> None:
    async with serving() as port, raw(port) as (reader, writer):
        writer.write(masked(9, b"hi") + masked(1, b"abc") + b"\x83\x80\0\0\0\0")
        assert await heard(reader) == (10, b"hi")
        assert await closed(reader) == 1002


async def test_a_client_that_reads_slowly_but_steadily_stays() -> None:
    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(3):
            await send({"type": "websocket.send", "bytes": b"x" * (4 * MiB)})
        await receive()

    limits = SocketLimits(ping_interval=0.2)
    async with serving(limits, app=flood) as port:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, HANDSHAKE)
        got = 0
        while got < 12 * MiB:
            data = await asyncio.wait_for(loop.sock_recv(client, 131_072), 5)
            assert data, f"disconnected after {got} bytes"
            got += len(data)
            await asyncio.sleep(0.01)
        client.close()


async def test_a_ping_is_answered_although_the_client_has_yet_to_read_much() -> None:
    go_on = asyncio.Event()

    async def large(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": b"x" * (16 * MiB)})
        go_on.set()
        await receive()

    async with serving(app=large) as port, raw(port) as (reader, writer):
        writer.write(masked(9, b"first") + masked(9, b"last"))
        header = await reader.readexactly(10)
        assert header[:2] == b"\x82\x7f"
        await asyncio.sleep(0.3)
        left = 16 * MiB
        while left:
            left -= len(await reader.read(min(left, MiB)))
        await asyncio.wait_for(go_on.wait(), 5)
        assert await heard(reader) in ((10, b"first"), (10, b"last"))


async def test_what_was_sent_before_the_client_closed_still_arrives_and_so_does_the_answer() -> None:
    async def fill(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        # As much as the system takes, and a little that waits here.
        for _ in range(400):
            sending = asyncio.ensure_future(send({"type": "websocket.send", "bytes": b"x" * 30_000}))
            done, _ = await asyncio.wait({sending}, timeout=0.05)
            if not done:
                break
        await receive()

    async with serving(app=fill) as port:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, HANDSHAKE)
        got = await everything(client, b"\r\n\r\n")
        await loop.sock_sendall(client, masked(1, b"go"))
        await asyncio.sleep(1.5)
        await loop.sock_sendall(client, masked(8, (1000).to_bytes(2)))
        await asyncio.sleep(0.3)
        tail = got
        while True:
            try:
                data = await asyncio.wait_for(loop.sock_recv(client, 65_536), 5)
            except ConnectionResetError:
                pytest.fail(f"reset; the last bytes are {tail[-4:]!r}")
            if not data:
                break
            tail = (tail + data)[-100:]
        assert tail.endswith(b"\x88\x02\x03\xe8")
        client.close()


async def test_a_client_in_the_middle_of_a_message_that_is_too_large_learns_so() -> None:
    async with serving(SocketLimits(message_size=1000)) as port:
        for _ in range(5):
            async with connect(f"ws://127.0.0.1:{port}/", max_size=None, compression=None) as client:
                with suppress(ConnectionClosed):
                    await client.send(b"x" * (40 * MiB))
                with pytest.raises(ConnectionClosed) as refused:
                    await asyncio.wait_for(client.recv(), 5)
                assert refused.value.rcvd is not None
                assert refused.value.rcvd.code == 1009


async def test_a_flooding_client_can_take_part_in_our_close() -> None:
    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.3)
        await send({"type": "websocket.close", "code": 1001})

    async with serving(app=hasty) as port, connect(f"ws://127.0.0.1:{port}/") as client:

        async def flood() -> None:
            while True:
                await client.send("x" * 50_000)

        with pytest.raises(ConnectionClosed) as ended:
            await flood()
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001
        assert ended.value.rcvd_then_sent


async def test_the_number_of_a_descriptor_that_is_closed_is_looked_at_again() -> None:
    """A client has gone, its handler still works, and the next client gets the number of its descriptor."""
    go_on = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/slow":
            await go_on.wait()
        else:
            await send({"type": "websocket.send", "text": "hello"})
            await receive()

    server = HttpServer(slow, host="127.0.0.1", port=0, logger=make_logger())
    port = await server.start()

    def open_ones(wanted: int) -> bool:
        return len(opened(server)) == wanted

    try:
        for number in range(1, 6):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HANDSHAKE.replace(b"/ws", b"/slow"))
            await reader.readuntil(b"\r\n\r\n")
            await until(partial(open_ones, number))
            writer.transport.abort()
        await until(lambda: all(each.ended.done() for each in opened(server)))
        await asyncio.sleep(0.1)
        clients = [await connect(f"ws://127.0.0.1:{port}/x") for _ in range(8)]
        for client in clients:
            assert await asyncio.wait_for(client.recv(), 5) == "hello"
        assert len(opened(server)) == 13
        for client in clients:
            await client.close()
    finally:
        go_on.set()
        await server.stop(1)
