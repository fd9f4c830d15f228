"""What one WebSocket client can make the process hold, and for how long: bytes, and time."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support import until
from websockets.asyncio.client import connect

from daebus.core.budgets import Budget
from daebus.server.limits import ServerLimits, SocketLimits
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()

MiB = 1 << 20

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application, as anybody could write it."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": str(len(message.get("text") or message.get("bytes")))})


@asynccontextmanager
async def serving(
    limits: SocketLimits | None = None, budget: Budget | None = None, app: Any = echo
) -> AsyncGenerator[int]:
    budget = budget or Budget(64 * MiB)
    server = HttpServer(
        app,
        host="127.0.0.1",
        port=0,
        logger=make_logger(),
        limits=ServerLimits(sockets=limits or SocketLimits()),
        budget=budget,
    )
    port = await server.start()
    try:
        yield port
    finally:
        await server.stop(1)
    assert budget.used == 0


@asynccontextmanager
async def raw(port: int) -> AsyncGenerator[Raw]:
    """A client that does what it likes, once hands are shaken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def begun(size: int, *, opcode: int = 1, fin: bool = True) -> bytes:
    """The header of a frame."""
    return bytes((opcode | (0x80 if fin else 0), 0xFF)) + size.to_bytes(8) + b"\0\0\0\0"


async def heard(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A short frame of the server."""
    first, second = await asyncio.wait_for(reader.readexactly(2), 5)
    return first & 0x0F, await reader.readexactly(second)


async def closed(reader: asyncio.StreamReader) -> int:
    while True:
        opcode, payload = await heard(reader)
        if opcode == 8:
            return int.from_bytes(payload[:2])


def resident() -> int:
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_message_that_is_far_too_large_is_refused_by_its_length() -> None:
    async with serving(SocketLimits(message_size=1000)) as port, raw(port) as (reader, writer):
        writer.write(begun(2000 + 65_537))
        assert await closed(reader) == 1009


async def test_a_message_that_grows_too_large_in_pieces_is_refused() -> None:
    async with serving(SocketLimits(message_size=1000)) as port, raw(port) as (reader, writer):
        writer.write(begun(30_000, fin=False) + b"x" * 30_000)
        writer.write((begun(20_000, opcode=0, fin=False) + b"x" * 20_000) * 2)
        assert await closed(reader) == 1009


async def test_halves_of_large_messages_take_no_more_than_they_may(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    budget = Budget(8 * MiB)
    async with serving(budget=budget) as port:
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
        for reader, writer in clients:
            writer.write(HANDSHAKE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(begun(2 * MiB) + b"x" * (2 * MiB - 1))
        async with connect(f"ws://127.0.0.1:{port}/") as honest:
            for _ in range(10):
                await honest.send("x" * 100_000)
                assert await asyncio.wait_for(honest.recv(), 5) == "100000"
        await until(lambda: budget.evictions >= 20)
        for _, writer in clients:
            writer.transport.abort()


async def test_a_silent_client_is_pinged_and_then_gone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with serving(SocketLimits(ping_interval=0.2)) as port, raw(port) as (reader, _):
        assert (await heard(reader))[0] == 9
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await heard(reader)
        await until(lambda: "it was silent for too long" in caplog.text)


async def test_a_client_that_answers_pings_stays() -> None:
    limits = SocketLimits(ping_interval=0.2)
    async with serving(limits) as port, connect(f"ws://127.0.0.1:{port}/", ping_interval=None) as client:
        await asyncio.sleep(1.5)
        await client.send("abc")
        assert await asyncio.wait_for(client.recv(), 5) == "3"


async def test_a_message_that_never_ends_is_not_waited_for() -> None:
    limits = SocketLimits(ping_interval=0.5, message_timeout=0.3)
    async with serving(limits) as port, raw(port) as (reader, writer):
        writer.write(begun(1000))
        trickling = asyncio.create_task(trickle(writer))
        assert await closed(reader) == 1008
        trickling.cancel()


async def trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def test_what_a_client_sends_while_nobody_receives_stays_with_it() -> None:
    go_on = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        await echo_all(receive, send)

    async with serving(app=slow) as port, connect(f"ws://127.0.0.1:{port}/", max_queue=None) as client:
        sending = asyncio.create_task(send_many(client, 200))
        before = resident()
        done, _ = await asyncio.wait({sending}, timeout=1)
        assert not done
        assert resident() - before < 30 * MiB
        go_on.set()
        await sending
        for _ in range(200):
            assert await asyncio.wait_for(client.recv(), 10) == str(MiB // 2)


async def send_many(client: Any, count: int) -> None:
    for _ in range(count):
        await client.send("x" * (MiB // 2))


async def echo_all(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": str(len(message["text"]))})


async def test_the_first_message_of_many_clients_is_heard() -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with serving() as port:

        async def talk() -> None:
            async with connect(f"ws://127.0.0.1:{port}/") as client:
                await client.send("abc")
                assert await asyncio.wait_for(client.recv(), 10) == "3"

        for _ in range(10):
            await asyncio.gather(*(talk() for _ in range(30)))
        await until(lambda: len(os.listdir("/proc/self/fd")) < before + 30)


async def test_a_refused_handshake_is_answered_without_the_headers_of_an_accepted_one() -> None:
    async def refuse(_: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    async def shake(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        answer = await reader.read()
        writer.close()
        return answer

    server = HttpServer(refuse, host="127.0.0.1", port=0, logger=make_logger())
    port = await server.start()
    try:
        before = len(os.listdir("/proc/self/fd"))
        answers = await asyncio.gather(*(shake(port) for _ in range(50)))
        await until(lambda: len(os.listdir("/proc/self/fd")) < before + 25)  # each would leave one
    finally:
        await server.stop(1, 1)
    for answer in answers:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert b"content-length: 2" in head
        assert b"upgrade" not in head.lower()
        assert b"sec-websocket" not in head.lower()
        assert body == b"no"
