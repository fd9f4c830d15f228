"""The server's own ``receive`` and ``send`` of a WebSocket, for those who need no middleware around each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["DIRECT", "Direct"]

DIRECT = "daebus.direct"
"""The key in the scope of a WebSocket under which its `Direct` is found."""


class Direct:
    """The server's own ``receive`` and ``send`` of one WebSocket. They may be others once it is accepted.

    Attributes:
        receive: ASGI's.
        send: ASGI's.
    """

    __slots__ = ("receive", "send")

    def __init__(self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        self.receive: Callable[[], Awaitable[Any]] = receive
        self.send: Callable[[Any], Awaitable[None]] = send
