"""The WebSockets of a server: Granian does the handshake, then daebus takes over the connection.

Granian buffers up to 64 MiB of an incomplete message, and 140 KiB for an idle client. It sends no pings and does not
expose how much a client has not read yet. But it reads and writes only on request. So after a client is accepted, a
duplicate descriptor of its connection is read and written here, in the event loop, and Granian's descriptor is not used
until the connection is over. If the system does not list the descriptors, Granian's transport is used.

Data that a client sends before the handshake is answered, which RFC 6455 forbids, is lost: Granian has read it.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from daebus.core.budgets import Budget

from .limits import Room, SocketLimits
from .notices import Notices
from .own_sockets import Address, LooksAlike, OwnSockets, address_of
from .refusals import FULL, problem_headers, raw_response
from .socket_connection import SocketConnection

__all__ = ["DIRECT", "Direct", "WebSocketSession", "WebSockets", "refuse_socket"]

_MARGIN = 65_536

_LOOKS = 16
"""How many checks of all clients pass until a silent client counts as gone."""

_START = "websocket.http.response.start"

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

DIRECT = "daebus.direct"
"""The key in a WebSocket's scope for its `Direct`."""


class Direct:
    """The server's own ``receive`` and ``send`` of one WebSocket. They may change when it is accepted.

    Attributes:
        receive: ASGI's.
        send: ASGI's.
    """

    __slots__ = ("receive", "send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive: Receive = receive
        self.send: Send = send


class WebSockets:
    """The WebSocket clients of one server.

    Args:
        limits: Their limits.
        own: Finds their connections.
        budget: The memory budget for their data.
        notices: Logs clients that exceed the limits.
    """

    def __init__(self, limits: SocketLimits, own: OwnSockets, budget: Budget, notices: Notices) -> None:
        self._limits = limits
        self._budget = budget
        self._notices = notices
        self._own = own
        self._room: Room | None = None
        self._by_host: Counter[str] = Counter()
        self._open: dict[SocketConnection, tuple[str, int]] = {}
        self._tending: asyncio.Task[None] | None = None

    def admit(self, room: Room) -> None:
        """Set the maximum number of clients."""
        self._room = room

    def session(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> WebSocketSession | None:
        """The session of a new client; `receive` and `send` are Granian's. None: there is no room for it."""
        # Read it now: middleware may replace it by the value of a header.
        client, server = address_of(scope.get("client")), address_of(scope.get("server"))
        host = "" if client is None else client[0]
        if self._room is not None and (
            self._by_host[host] >= self._room.sockets_per_address
            or (self._by_host.total() >= self._room.sockets and not self._make_room(host))
        ):
            return None
        self._by_host[host] += 1
        ends = None if client is None or server is None else (client, server, self._own.searches)
        return WebSocketSession(self, ends, receive, send, host)

    def _make_room(self, host: str) -> bool:
        """If an address has more clients than `host` would have, disconnect its longest silent client."""
        greedy, most = self._by_host.most_common(1)[0]
        if most <= self._by_host[host] + 1:
            return False
        theirs = [connection for connection, client in self._open.items() if client[0] == greedy]
        leaving = max((each for each in theirs if each.why is None), key=lambda each: each.silence, default=None)
        if leaving is not None:
            leaving.dismiss("others have fewer clients, and needed its place")
        return leaving is not None

    def over(self, host: str) -> None:
        """A session with a client of this host is over."""
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]

    async def take_over(self, client: Address, server: Address, since: int) -> tuple[SocketConnection, int] | None:
        """Take over a connection from Granian, with Granian's descriptor; None: Granian keeps it.

        Args:
            client: The address of the client.
            server: The address that we listen on.
            since: See `OwnSockets.find`.

        Raises:
            LooksAlike: It cannot be distinguished from another connection.
        """
        try:
            found = self._own.find(client, server, since)
        except LooksAlike as error:
            self._notices.tell("WebSocket client disconnected", str(error), client)
            raise
        if found is None:
            return None
        ours, granians = found
        ours.setblocking(False)  # noqa: FBT003  # the standard library's signature
        known, number = self._own.known, ours.fileno()
        # After it is closed, another connection may get its number.
        connection = SocketConnection(
            ours, self._limits.message_size * 2 + _MARGIN, self._budget, lambda: known.discard(number)
        )
        known.update((number, granians))
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, ours)
        except BaseException:
            known.difference_update((number, granians))
            ours.close()
            raise
        self._open[connection] = client
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="WebSockets")
        return connection, granians

    async def refuse(self, client: Address, server: Address, since: int, response: bytes) -> bool:
        """Write a response to a handshake, and end the connection; returns whether it was found.

        Args:
            client: The address of the client.
            server: The address that we listen on.
            since: See `OwnSockets.find`.
            response: The whole response.
        """
        try:
            found = self._own.find(client, server, since)
        except (LooksAlike, OSError):
            return False
        if found is None:
            return False
        with found[0] as ours, suppress(OSError):  # the client may be gone
            ours.setblocking(False)  # noqa: FBT003  # the standard library's signature
            await asyncio.get_running_loop().sock_sendall(ours, response)
            ours.shutdown(socket.SHUT_WR)  # what Granian writes afterwards goes nowhere
        return True

    async def finish(self, connection: SocketConnection, granians: int, code: int, seconds: float) -> None:
        """End a connection within this many seconds, as the application is done with it."""
        try:
            await connection.finish(code, seconds)
        finally:
            self._own.known.discard(granians)
            client = self._open.pop(connection)
            if connection.why is not None:
                self._notices.tell("WebSocket client disconnected", connection.why, client)
            if not self._open and self._tending is not None:
                self._tending.cancel()
                self._tending = None

    async def _tend(self) -> None:
        pause = self._limits.ping_interval * 2 / _LOOKS
        unfinished = max(1, round(self._limits.message_timeout / pause))
        while True:
            await asyncio.sleep(pause)
            for connection in list(self._open):
                connection.tend(_LOOKS, unfinished)


class WebSocketSession:
    """The ``receive`` and ``send`` of one WebSocket, over our own transport or Granian's.

    Args:
        sockets: The server's.
        ends: The addresses of the client and of the server, and how often connections had been searched when it
            arrived; None: unknown.
        receive: Granian's.
        send: Granian's.
        host: The client's address.

    Attributes:
        direct: The same callables without an intermediate step for each message.
    """

    __slots__ = ("_connection", "_descriptor", "_ends", "_host", "_refusal", "_send", "_sockets", "direct")

    def __init__(
        self, sockets: WebSockets, ends: tuple[Address, Address, int] | None, receive: Receive, send: Send, host: str
    ) -> None:
        self._sockets = sockets
        self._host = host
        self._ends = ends
        self._send: Send = send
        self.direct: Direct = Direct(receive, self.send)
        self._connection: SocketConnection | None = None
        self._refusal: Any = None
        self._descriptor = -1

    def receive(self) -> Awaitable[Any]:
        """As ASGI's."""
        return self.direct.receive()

    def send(self, message: Any) -> Awaitable[None]:
        """As ASGI's."""
        if self._connection is None and message["type"] == "websocket.accept":
            return self._accept(message)
        if message["type"] == _START:
            self._refusal = message
            return _nothing()
        if self._refusal is not None:
            return self._refuse(self._refusal, message)
        return self._send(message)

    async def _refuse(self, start: Any, end: Any) -> None:
        """Refuse the client without the headers of an accepted handshake, which Granian would add."""
        response = raw_response(start["status"], start["headers"], end["body"])
        self._refusal = None
        if self._ends is None or not await self._sockets.refuse(*self._ends, response):
            await self._send(start)
            await self._send(end)

    async def _accept(self, message: Any) -> None:
        await self._send(message)
        taken = None if self._ends is None else await self._sockets.take_over(*self._ends)
        if taken is not None:
            self._connection, self._descriptor = taken
            self._send = self._connection.send
            self.direct.receive, self.direct.send = self._connection.receive, self._send

    async def close(self, code: int, seconds: float) -> None:
        """Close the connection, as the application is done with it, and wait for the client's confirmation.

        Args:
            code: The close code, unless the application has closed the connection itself.
            seconds: How long to wait for the client's confirmation.
        """
        self.direct.send = self._send  # no cycle: Granian's threads live as long as its objects
        self._sockets.over(self._host)
        if self._connection is not None:
            await self._sockets.finish(self._connection, self._descriptor, code, seconds)


async def _nothing() -> None: ...


async def refuse_socket(receive: Receive, send: Send) -> None:
    """Refuse a WebSocket because there is no room for it."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": 503, "headers": problem_headers(FULL)})
    await send({"type": "websocket.http.response.body", "body": FULL})
