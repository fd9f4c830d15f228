"""What HTTP clients can make the process hold, and for how long."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.server.test_sockets_limits import echo
from tests.support import until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from daebus.core.budgets import Budget
from daebus.server import server as serving_module
from daebus.server.limits import Room, ServerLimits, SocketLimits
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

MiB = 1 << 20
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def large(scope: Any, receive: Any, send: Any) -> None:
    """An application whose answers have 10 MB, or as the path says."""
    size = int(scope["path"].strip("/") or 10_000_000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"x" * size})


@asynccontextmanager
async def serving(app: Any, limits: ServerLimits | None = None, budget: Budget | None = None) -> AsyncGenerator[int]:
    budget = budget or Budget(64 * MiB)
    # On all addresses, as clients have several here.
    server = HttpServer(app, host="0.0.0.0", port=0, logger=make_logger(), limits=limits, budget=budget)
    port = await server.start()
    try:
        yield port
    finally:
        await server.stop(1)
    assert budget.used == 0


async def connected(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A client at some address of this machine that reads only when it is told to."""
    client = socket.socket()
    client.bind((host, 0))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    except BaseException:  # whoever waits for it may be cancelled
        client.close()
        raise
    return client


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_client_that_does_not_read_its_answer_is_gone_after_a_while() -> None:
    async with serving(large, ServerLimits(min_rate=MiB)) as port:
        first = await connected(port)
        await ask(first)  # Granian is there
        first.close()
        await asyncio.sleep(0.2)
        before = descriptors()
        client = await connected(port)
        client.send(REQUEST)
        await until(lambda: descriptors() == before + 2)
        await until(lambda: descriptors() == before + 1)
        client.close()


async def ask(client: socket.socket, path: str = "1", seconds: float = 5) -> bytes:
    """The answer to a request of a client that reads it."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        await loop.sock_sendall(client, f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n" + b"x" * int(path)):
            received = await loop.sock_recv(client, 1 << 20)
            if not received:
                raise ConnectionResetError
            answer += received
        return answer


def close(clients: Iterable[socket.socket]) -> None:
    for client in clients:
        client.close()


async def test_a_large_answer_comes_as_it_is() -> None:
    async with serving(large) as port:
        client = await connected(port)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for size in (131_072, 131_073, 3_000_000):
            answer = await ask(client, str(size))
            assert b"content-length: %d\r\n" % size in answer.lower()
        client.close()


async def test_answers_that_are_not_read_take_no_more_than_they_may(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    budget = Budget(25_000_000)
    async with serving(large, budget=budget) as port:
        clients = [await connected(port) for _ in range(12)]
        for client in clients:
            client.send(REQUEST)
        await until(lambda: budget.evictions == 10)
        honest = await connected(port)
        await ask(honest, "1000")
        close([*clients, honest])


async def test_a_client_that_reads_at_the_least_rate_gets_all_of_its_answer() -> None:
    rate, size = 256 * 1024, 2 * MiB
    async with serving(large, ServerLimits(min_rate=rate)) as port:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, f"GET /{size} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        begun, received = loop.time(), 0
        while received < size:
            await asyncio.sleep(max(0.0, begun + received / rate - loop.time()))
            part = await loop.sock_recv(client, 16_384)
            assert part, f"cut off after {received} bytes"
            received += len(part)
        assert loop.time() - begun > 2 * ServerLimits(min_rate=rate).write_timeout
        client.close()


async def test_an_upload_that_goes_on_is_not_idle_when_connections_become_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def taking(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            await large({"path": "1"}, receive, send)

    idle: list[socket.socket] = []

    async def crowd(port: int) -> None:
        while True:
            idle.append(await connected(port, "127.0.0.2"))
            if len(idle) > 60:
                idle.pop(0).close()
            await asyncio.sleep(0.005)

    async with serving(taking, ServerLimits(connections=30, min_rate=500)) as port:
        slow = await connected(port, "127.0.0.2")
        crowding: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(slow, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\n\r\n")
            for part in range(16):
                await loop.sock_sendall(slow, b"x" * 1000)
                await asyncio.sleep(0.15)  # longer than a connection of an address with many may be idle
                if part == 6:  # the client may pause for as long as it has kept the minimum rate
                    crowding = asyncio.create_task(crowd(port))
            async with asyncio.timeout(5):
                assert b"200 OK" in await loop.sock_recv(slow, 1000)
            assert "too many connections" in caplog.text
        finally:
            assert crowding is not None
            crowding.cancel()
            await asyncio.wait({crowding})
            close([slow, *idle])


class Other:
    """Somebody else who needs memory."""

    def evict(self) -> None:
        raise AssertionError("it came last")


@pytest.mark.parametrize("reason", ["slow", "evicted"])
async def test_an_app_whose_client_is_cut_is_told_when_it_sends_more(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    sent: list[int] = []
    ends: list[str] = []

    async def streaming(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for part in range(60):
                await send({"type": "http.response.body", "body": b"x" * MiB, "more_body": True})
                sent.append(part)
        except BaseException as error:
            ends.append(type(error).__name__)
            raise
        ends.append("sent")

    limits = ServerLimits(min_rate=MiB if reason == "slow" else 8000)
    budget = Budget(64 * MiB)
    async with serving(streaming, limits, budget) as port:
        client = await connected(port)
        client.send(REQUEST)
        if reason == "evicted":
            await until(lambda: budget.used > 0)
            budget.hold(other := Other(), 64 * MiB)
            budget.release(other)
        await until(lambda: len(ends) == 1)
        client.close()
    assert ends == ["CancelledError"]
    assert len(sent) < 60
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert ("less than HttpLimits(min_rate=1048576) bytes per second" in caplog.text) == (reason == "slow")


async def test_bodies_that_do_not_end_take_no_more_than_they_may(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def taking(scope: Any, receive: Any, send: Any) -> None:
        parts: list[bytes] = []
        while (message := await receive()).get("more_body"):
            parts.append(message["body"])
        if message["type"] == "http.request":
            await large({"path": "1"}, receive, send)

    budget = Budget(5 * MiB)
    async with serving(taking, budget=budget) as port:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        clients = [await connected(port) for _ in range(12)]
        for client in clients:
            await asyncio.get_running_loop().sock_sendall(client, head + b"x" * 999_999)
        await until(lambda: budget.evictions == 7)
        honest = await connected(port)
        await asyncio.get_running_loop().sock_sendall(honest, head + b"x" * 1_000_000)
        assert b"200 OK" in await asyncio.get_running_loop().sock_recv(honest, 1000)
        close([*clients, honest])


@pytest.mark.parametrize("hosts", [["127.0.0.2"], [f"127.0.0.{number}" for number in range(2, 30)]])
async def test_connections_without_a_request_keep_nobody_out(
    hosts: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with serving(large, ServerLimits(connections=30)) as port:
        idle = [await connected(port, hosts[number % len(hosts)]) for number in range(60)]
        for _ in range(20):
            another = await connected(port)
            await ask(another)
            another.close()
        await until(lambda: "too many connections" in caplog.text)
        close(idle)


async def test_one_address_has_only_so_many_connections() -> None:
    async with serving(large, ServerLimits(connections=100, per_address=10)) as port:
        before = descriptors()
        clients = [await connected(port, "127.0.0.2") for _ in range(40)]
        others = [await connected(port) for _ in range(8)]
        await until(lambda: descriptors() <= before + 40 + 8 + 10 + 8 + 10)
        for other in others:
            await ask(other)
        close([*clients, *others])


@pytest.mark.parametrize("sent", [b"", b"G", b"PRI", b"GET / HTTP/1.1\r\nHost:"])
async def test_half_a_request_is_not_waited_for(sent: bytes) -> None:
    async with serving(large, ServerLimits(headers_timeout=0.5)) as port:
        client = await connected(port)
        client.send(sent)
        async with asyncio.timeout(5):
            while await asyncio.get_running_loop().sock_recv(client, 1000):  # it may be told why
                pass
        client.close()


async def test_where_sockets_have_no_room_those_go_of_whoever_has_most(monkeypatch: pytest.MonkeyPatch) -> None:
    def room_for(_: ServerLimits) -> Room:
        return Room(100, 100, sockets=6, sockets_per_address=6)

    monkeypatch.setattr(serving_module, "room_for", room_for)
    async with serving(echo) as port:
        greedy = [await connect(f"ws://127.0.0.1:{port}/", local_addr=("127.0.0.2", 0)) for _ in range(6)]
        async with connect(f"ws://127.0.0.1:{port}/") as first, connect(f"ws://127.0.0.1:{port}/") as second:
            for client in (first, second):
                await client.send("abc")
                assert await client.recv() == "3"
        await until(lambda: sum(client.close_code == 1013 for client in greedy) == 2)
        for client in greedy:
            await client.close()


async def test_websockets_leave_room_for_others_and_for_http() -> None:
    async with serving(echo, ServerLimits(sockets=SocketLimits(per_address=3))) as port:
        clients = [await connect(f"ws://127.0.0.1:{port}/", local_addr=("127.0.0.2", 0)) for _ in range(3)]
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/", local_addr=("127.0.0.2", 0))
        assert refused.value.response.status_code == 503
        async with connect(f"ws://127.0.0.1:{port}/") as other:
            await other.send("abc")
            assert await other.recv() == "3"
        await clients.pop().close()

        async def has_room() -> bool:
            try:
                clients.append(await connect(f"ws://127.0.0.1:{port}/", local_addr=("127.0.0.2", 0)))
            except InvalidStatus:
                return False
            return True

        await until(has_room)
        for client in clients:
            await client.close()
