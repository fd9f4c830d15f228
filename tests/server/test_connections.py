"""Idle connections are closed near the limit; a client whose request the server has not begun yet is not idle."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from tests.support import until

from daebus.server.connections import ConnectionGuard
from daebus.server.limits import Room
from daebus.server.own_sockets import Address, OwnSockets
from daebus.telemetry.logs import make_logger

CLIENTS = 16


class Visiting:
    """A request in flight."""

    def __init__(self, client: Address) -> None:
        self.client: Address | None = client
        self.waits_since: float | None = None


class Guarded:
    """A server of one line per connection, whose connections a guard watches as if there were too many of them."""

    def __init__(self) -> None:
        self.accepted: list[socket.socket] = []
        self.visits: list[Visiting] = []
        self.address: Address = ("", 0)

    @asynccontextmanager
    async def watched(self, room_for: int) -> AsyncGenerator[None]:
        room = Room(connections=room_for, per_address=CLIENTS, sockets=1, sockets_per_address=1)
        guard = ConnectionGuard(room, self.address, lambda: self.visits, OwnSockets(), make_logger())
        watching = asyncio.create_task(guard.watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait({watching})


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def test_a_client_whose_request_is_not_read_yet_is_not_closed_as_idle() -> None:
    guarded = Guarded()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        guarded.address = listening.getsockname()[:2]
        clients = [socket.create_connection(guarded.address) for _ in range(CLIENTS)]
        accepted = [listening.accept()[0] for _ in clients]
        try:
            for client in clients[:2]:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            async with guarded.watched(CLIENTS):
                await until(lambda: sum(map(is_closed, clients)) >= CLIENTS // 2)
            assert not any(map(is_closed, clients[:2]))
        finally:
            for one in (*clients, *accepted):
                one.close()


async def test_a_client_whose_request_came_while_the_event_loop_was_blocked_is_answered() -> None:
    guarded, handlers = Guarded(), set[asyncio.Task[None] | None]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with suppress(ConnectionError):
            await reader.readline()
            await asyncio.sleep(0.01)  # a server with threads needs a moment to begin
            guarded.visits.append(Visiting(writer.get_extra_info("peername")[:2]))
            await asyncio.sleep(0.3)
            writer.write(b"answered\n")
            await reader.read()
        await closed(writer)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        guarded.address = server.sockets[0].getsockname()[:2]
        pairs = [await asyncio.open_connection(*guarded.address) for _ in range(CLIENTS)]
        async with guarded.watched(1):
            reader, writer = pairs[0]
            await asyncio.sleep(0)  # the first check, for which no connection is idle yet
            writer.write(b"hello\n")
            time.sleep(1.2)  # noqa: ASYNC251  # a handler blocks the event loop
            assert await reader.read(9) == b"answered\n"
            await until(lambda: all(other.at_eof() for other, _ in pairs[1:]))
        for _, each in pairs:
            await closed(each)
        await asyncio.gather(*(handler for handler in handlers if handler is not None))


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
