"""How many messages a WebSocket client may send: a budget that fills up again with time."""

from __future__ import annotations

import time

from daebus.asgi.settings import WebSocketLimits
from daebus.errors import TooManyRequests

from .authentication import End

__all__ = ["Allowance", "allowance_of"]

_POLICY = 1008
_MOST_REFUSED = 100
"""Refused messages in a row after which a client is disconnected: it does not read its errors."""


class Allowance:
    """The messages that one client may still send.

    Args:
        rate: How many messages per second it may send.
        burst: How many may come at once.
        end: Closes its connection with a reason and a code, if it goes on for long although it is refused.
    """

    __slots__ = ("_burst", "_end", "_left", "_rate", "_refused", "_since")

    def __init__(self, rate: float, burst: int, end: End) -> None:
        self._end = end
        self._rate = rate
        self._burst = self._left = float(burst)
        self._since = time.monotonic()
        self._refused = 0

    def take(self) -> None:
        """Count a message. Raises `TooManyRequests` if the client must not send it yet."""
        rate, now = self._rate, time.monotonic()
        self._left = min(self._burst, self._left + (now - self._since) * rate)
        self._since = now
        if self._left < 1:
            self._refused += 1
            if self._refused >= _MOST_REFUSED:
                self._end("The client sends too many messages.", _POLICY)
            seconds = round((1 - self._left) / rate, 3)
            problem = f"The client sends more than {rate:g} messages per second"
            raise TooManyRequests(problem, details={"retry_after": seconds})
        self._left -= 1
        self._refused = 0


def allowance_of(limits: WebSocketLimits, end: End) -> Allowance | None:
    """The messages that a new client may send; None: any number. `end`: as for `Allowance`."""
    return None if limits.max_rate is None else Allowance(limits.max_rate, limits.max_burst, end)
