"""The limits of a server for its clients, and the number of clients that it can have."""

from __future__ import annotations

import sys

import msgspec

from daebus.protocol.messages import MAX_MESSAGE_SIZE

if sys.platform != "win32":
    import resource

__all__ = ["MIN_RATE", "Room", "ServerLimits", "SocketLimits", "raise_descriptors", "room_for"]

MIN_RATE = 8_000
"""Bytes per second; a throttled mobile connection is still as fast as this."""

_STEP = 524_288
"""Bytes that a client with common buffers may read before the server can notice that it reads."""

_MOST_DESCRIPTORS = 65_536
_RESERVE = 64, 512  # reserved descriptors: at least, and if there are many
_DESCRIPTORS_PER_SOCKET = 2


class SocketLimits(msgspec.Struct, frozen=True):
    """The limits for a WebSocket client.

    Attributes:
        message_size: The largest message in bytes that is handled; a message of up to twice this size is received and
            answered with an error.
        ping_interval: Seconds of silence after which a client is pinged; after twice this time it is disconnected.
        message_timeout: Seconds within which a message must arrive completely.
        per_address: How many clients may have the same address; None: half of the possible clients.
    """

    message_size: int = MAX_MESSAGE_SIZE
    ping_interval: float = 20.0
    message_timeout: float = 60.0
    per_address: int | None = None


class ServerLimits(msgspec.Struct, frozen=True):
    """The limits for the clients of a server.

    Attributes:
        body_timeout: Seconds within which a whole request body must arrive.
        min_rate: Bytes per second at which a client must read an answer, on average over `write_timeout`; a client that
            sends a body at this rate does not count as idle.
        connections: The maximum number of connections, besides WebSockets; None: as many as the descriptors allow.
        per_address: How many connections one address may have; None: half of all.
        http2: Whether HTTP/2 is also served.
        servers: How many servers share the limits of this process.
        headers_timeout: Seconds within which a request's headers must arrive, after the connection was opened or the
            previous request was answered.
        sockets: The limits for WebSocket clients.
    """

    body_timeout: float = 60.0
    min_rate: int = MIN_RATE
    connections: int | None = None
    per_address: int | None = None
    http2: bool = False
    servers: int = 1
    headers_timeout: float = 30.0
    sockets: SocketLimits = SocketLimits()

    @property
    def write_timeout(self) -> float:
        """Seconds within which a client must read some of the data sent to it; on Linux."""
        return _STEP / self.min_rate


class Room(msgspec.Struct, frozen=True):
    """The maximum number of clients of a server.

    Attributes:
        connections: How many connections, besides WebSockets.
        per_address: How many of them from one address.
        sockets: How many WebSockets.
        sockets_per_address: How many of them from one address.
    """

    connections: int
    per_address: int
    sockets: int
    sockets_per_address: int


def room_for(limits: ServerLimits) -> Room:
    """The room that the file descriptors of this process allow, less a reserve for Redis, log and files."""
    allowed = _descriptors()[0]
    least, most = _RESERVE
    reserve = min(allowed // 2, max(least, min(most, allowed // 8)))
    # Half of the rest for connections, half for WebSockets, each of which needs two.
    half = max(2, (allowed - reserve) // limits.servers // 2)
    connections = half if limits.connections is None else min(half, limits.connections)
    sockets = max(2, half // _DESCRIPTORS_PER_SOCKET)
    return Room(
        connections,
        min(connections, limits.per_address or max(1, connections // 2)),
        sockets,
        min(sockets, limits.sockets.per_address or max(1, sockets // 2)),
    )


def raise_descriptors() -> None:
    """Raise the limit of file descriptors of this process to its hard limit, but at most to 65,536."""
    if sys.platform == "win32":
        return
    soft, most = _descriptors()
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _descriptors() -> tuple[int, int]:
    """The soft and the hard limit of file descriptors; an unlimited one is replaced by our own maximum."""
    if sys.platform == "win32":
        return _MOST_DESCRIPTORS, _MOST_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    return (most if soft == resource.RLIM_INFINITY else soft), most
