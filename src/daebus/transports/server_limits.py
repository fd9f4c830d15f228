"""What a server takes from its clients."""

from __future__ import annotations

import msgspec

from daebus.core.messages import MAX_MESSAGE_SIZE

__all__ = ["HttpLimits", "SocketLimits"]


class SocketLimits(msgspec.Struct, frozen=True):
    """What a WebSocket client may do.

    Attributes:
        message_size: The largest message in bytes that is handled; one of up to twice the size is received, to be
            answered what is wrong with it.
        ping_interval: Seconds of silence after which a client is pinged; after twice as many it is gone.
        message_timeout: Seconds that a message may take to come in.
    """

    message_size: int = MAX_MESSAGE_SIZE
    ping_interval: float = 20.0
    message_timeout: float = 60.0


class HttpLimits(msgspec.Struct, frozen=True):
    """What a client of a server may do.

    Attributes:
        body_timeout: Seconds in which all of a request's body must have come.
        write_timeout: Seconds in which a client must take some of what is sent to it; on Linux.
        sockets: What WebSocket clients may do.
    """

    body_timeout: float = 60.0
    write_timeout: float = 30.0
    sockets: SocketLimits = SocketLimits()
