"""What a server takes from its clients, and for how many of them there is room."""

from __future__ import annotations

import sys

import msgspec

from daebus.protocol.messages import MAX_MESSAGE_SIZE

if sys.platform != "win32":
    import resource

__all__ = ["MIN_RATE", "Room", "ServerLimits", "SocketLimits", "raise_descriptors", "room_for"]

MIN_RATE = 8_000
"""Bytes per second: a telephone whose data volume is used up still has as much."""

_STEP = 524_288
"""Bytes that a client with common buffers may read before anybody can see here that it reads."""

_MOST_DESCRIPTORS = 65_536
_RESERVE = 64, 512  # descriptors for ourselves at least, and where there are many
_DESCRIPTORS_PER_SOCKET = 2


class SocketLimits(msgspec.Struct, frozen=True):
    """What a WebSocket client may do.

    Attributes:
        message_size: The largest message in bytes that is handled; one of up to twice the size is received, to be
            answered what is wrong with it.
        ping_interval: Seconds of silence after which a client is pinged; after twice as many it is gone.
        message_timeout: Seconds that a message may take to come in.
        per_address: How many clients may have the same address; None: half of those for which there is room.
    """

    message_size: int = MAX_MESSAGE_SIZE
    ping_interval: float = 20.0
    message_timeout: float = 60.0
    per_address: int | None = None


class ServerLimits(msgspec.Struct, frozen=True):
    """What the clients of a server may do.

    Attributes:
        body_timeout: Seconds in which all of a request's body must have come.
        min_rate: Bytes per second that a client must take of an answer, on average over `write_timeout`; one that sends
            a body at this rate is not taken for idle.
        connections: How many there may be, besides WebSockets; None: what the descriptors allow.
        per_address: How many of them from one address; None: half of them.
        http2: Whether HTTP/2 is spoken, too.
        servers: How many servers share what this process has.
        headers_timeout: Seconds within which a request's headers must have come, after the connection was opened or the
            last one was answered.
        sockets: What WebSocket clients may do.
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
        """Seconds in which a client must take some of what is sent to it; on Linux."""
        return _STEP / self.min_rate


class Room(msgspec.Struct, frozen=True):
    """For how many clients of a server there is room.

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
    """What the descriptors of this process allow, less a reserve for Redis, log and files."""
    allowed = _descriptors()[0]
    least, most = _RESERVE
    reserve = min(allowed // 2, max(least, min(most, allowed // 8)))
    # Half of the others for connections, half for WebSockets, of which each takes two.
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
    """Allow this process as many descriptors as it may allow itself, but no more than 65,536."""
    if sys.platform == "win32":
        return
    soft, most = _descriptors()
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _descriptors() -> tuple[int, int]:
    """How many descriptors this process may have, and how many it may allow itself; of what is no limit, our own."""
    if sys.platform == "win32":
        return _MOST_DESCRIPTORS, _MOST_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    return (most if soft == resource.RLIM_INFINITY else soft), most
