"""Limits the connections of a server: near the limit, idle connections of the largest clients are closed.

Granian accepts connections up to a maximum and does not expose their clients, so no client can be refused at once. But
the connections are found among the file descriptors of the process, and the kernel knows how long each has been idle: a
connection that only occupies a place is always idle.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from daebus.telemetry.logs import Logger

from .limits import Room
from .own_sockets import Address, OwnSockets, ends_of

__all__ = ["ConnectionGuard", "Visit"]

_TICK_SECONDS, _SHARE = 0.05, 20  # between two checks; or this many times the duration of the last check
_LOOK, _HIGH, _LOW = 0.5, 0.75, 0.4  # shares of the maximum: start checking, start closing, stop closing
_MOST_LOOKED_AT = 1000
_IDLE_SECONDS, _FAIR_IDLE_SECONDS = 0.1, 1.0
"""For how long a connection is left alone, by whether its address has many (more than half of what each has)."""

_LATE_SECONDS = 0.1
"""A check that begins so much too late closes nothing: the requests that have come since have not been started yet."""

_TOLD_SECONDS, _NEVER = 10.0, float("-inf")
_TCP_INFO = struct.Struct("=44xI")  # milliseconds since something was sent, or since it was accepted


class Visit(Protocol):
    """A request in flight."""

    @property
    def client(self) -> Address | None:
        """The client of the request."""
        ...

    @property
    def waits_since(self) -> float | None:
        """Since when the server waits for the client, in seconds of `time.monotonic`; None: it does not wait."""
        ...


class ConnectionGuard:
    """Keeps room for new connections to one port.

    Args:
        room: The maximum number of connections.
        server: The address and port that it listens on.
        visits: The requests in flight.
        own: Finds connections; its known ones are WebSockets, which have another limit.
        logger: Logs, at a limited rate, that connections were closed.
    """

    def __init__(
        self, room: Room, server: Address, visits: Callable[[], Iterable[Visit]], own: OwnSockets, logger: Logger
    ) -> None:
        self._room = room
        self._server = server
        self._visits = visits
        self._own = own
        self._logger = logger
        self._seen: dict[Address, float] = {}  # when each was first seen
        self._closed = 0
        self._told = -_TOLD_SECONDS

    async def watch(self) -> None:
        """Check repeatedly, until cancelled."""
        due, was_late = time.monotonic(), False
        while True:
            began = time.monotonic()
            # Not twice in a row, as a server under attack may always be late.
            was_late = not was_late and began - due > _LATE_SECONDS
            if not was_late:
                with suppress(OSError):
                    self._look(began)
            self._tell(began)
            pause = max(_TICK_SECONDS, (time.monotonic() - began) * _SHARE)
            due = time.monotonic() + pause
            await asyncio.sleep(pause)

    def _look(self, now: float) -> None:
        most = self._room.connections
        descriptors = self._own.unknown()
        if len(descriptors) < min(most * _LOOK, self._room.per_address):
            return
        share = min(1.0, _MOST_LOOKED_AT / len(descriptors))
        if share < 1:
            descriptors = random.sample(descriptors, _MOST_LOOKED_AT)
        found = self._connections(descriptors, now)
        by_host = Counter(client[0] for _, client, _ in found)
        allowed = self._room.per_address * share
        too_many = len(found) > most * share * _HIGH
        surplus = len(found) - most * share * _LOW if too_many else 0
        fair = max(1.0, len(found) / max(1, len(by_host)) / 2)
        greedy = {host for host, count in by_host.items() if count > fair}
        # First the clients with most connections, and of each the longest idle ones.
        for descriptor, client, idle in sorted(found, key=lambda each: (-by_host[each[1][0]], -each[2])):
            host = client[0]
            enough = _IDLE_SECONDS if host in greedy else _FAIR_IDLE_SECONDS
            if idle < enough or (surplus <= 0 and by_host[host] <= allowed):
                continue
            if self._own.cut(client, self._server, [descriptor]):
                by_host[host] -= 1
                surplus -= 1
                self._closed += 1

    def _connections(self, descriptors: Iterable[int], now: float) -> list[tuple[int, Address, float]]:
        """Descriptor, client and idle seconds; 0 if a request of the client is in flight."""
        visits: dict[Address | None, float | None] = {}
        for visit in list(self._visits()):
            # An HTTP/2 connection has several requests; one may wait while others are answered.
            before = visits.get(visit.client, _NEVER)
            since = visit.waits_since
            visits[visit.client] = None if since is None or before is None else max(before, since)
        found: list[tuple[int, Address, float]] = []
        seen: dict[Address, float] = {}
        for descriptor in descriptors:
            ends = ends_of(descriptor, _idle_seconds)
            if ends is None or ends[1][1] != self._server[1]:
                continue
            client, _, idle = ends
            if client in visits:
                since = visits[client]
                idle = 0.0 if since is None else now - since
            # It may have waited a long time until Granian accepted it, which must not count.
            first = seen[client] = self._seen.get(client, now)
            found.append((descriptor, client, min(idle, now - first)))
        self._seen = seen
        return found

    def _tell(self, now: float) -> None:
        if self._closed and now - self._told >= _TOLD_SECONDS:
            self._logger.warning(
                "too many connections: idle ones were closed",
                closed=self._closed,
                port=self._server[1],
                connections_at_most=self._room.connections,
                per_address=self._room.per_address,
            )
            self._closed, self._told = 0, now


def _idle_seconds(connection: socket.socket) -> float:
    if sys.platform != "linux":  # idle times are unknown: any connection without a request in flight
        return 1.0
    if _has_unread(connection):
        return 0.0  # the client waits for the server
    milliseconds: int = _TCP_INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))[0]
    return milliseconds / 1000


def _has_unread(connection: socket.socket) -> bool:
    """Whether the client has sent something that the server has not read."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False
