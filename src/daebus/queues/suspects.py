"""Suspects: entries whose last owner died, perhaps because of them.

They are started one at a time; how long each runs alone, and how often an entry may be delivered, is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from daebus.protocol.messages import Request

__all__ = [
    "MAX_CALL_DELIVERIES",
    "MAX_DELIVERIES",
    "Suspects",
    "Turn",
    "alone_seconds",
    "call_alone_seconds",
    "most_deliveries",
]

MAX_DELIVERIES = 5
"""How many deliveries of an entry may end with the death of the instance before it goes to the dead letters."""

MAX_CALL_DELIVERIES = 2
"""How many deliveries of a request that wants a reply may end with the death of the instance."""

_ALONE_SECONDS = (300.0, 10.0, 1.0, 0.1)
_LEAST_ALONE, _MOST_ALONE, _STREAMS_SECONDS, _HANDLER_SECONDS = 0.1, 10.0, 3.0, 3.0


class Turn:
    """The turn of one suspect, during which no other is started. It ends once.

    Attributes:
        waiting: How many entries of its stream dead instances still own.
    """

    __slots__ = ("_suspects", "_timer", "waiting")

    def __init__(self, suspects: Suspects) -> None:
        self._suspects: Suspects | None = suspects
        self._timer: asyncio.TimerHandle | None = None
        self.waiting: int = 0

    def begin(self, seconds: float) -> None:
        """The suspect starts. The next one waits until it ends, but at most for some seconds."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)

    def end(self) -> None:
        """Let the next suspect start."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._suspects is not None:
            suspects, self._suspects = self._suspects, None
            suspects.free()


class Suspects:
    """The turns of the suspects of one instance, from all its streams."""

    def __init__(self) -> None:
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._told: list[Callable[[], object]] = []

    def when_free(self, tell: Callable[[], object]) -> None:
        """Register `tell`, which is called each time that a turn ends."""
        self._told.append(tell)

    def take(self) -> Turn | None:
        """Take the turn; None: another suspect has it."""
        if not self._is_free.is_set():
            return None
        self._is_free.clear()
        return Turn(self)

    async def turn(self) -> Turn:
        """Wait until no other suspect has its turn."""
        while (turn := self.take()) is None:
            await self._is_free.wait()
        return turn

    def free(self) -> None:
        """A turn has ended."""
        self._is_free.set()
        for tell in self._told:
            tell()
        self._told = self._told[1:] + self._told[:1]  # the first one that is called takes the next turn


def most_deliveries(request: Request | None) -> int:
    """The largest number of deliveries of a request, or of an event (None), to instances."""
    return MAX_DELIVERIES if request is None or request.reply_to is None else MAX_CALL_DELIVERIES


def alone_seconds(chances: int) -> float:
    """Seconds during which no other suspect is started beside this one, unless it ends sooner.

    A handler that kills its process mostly does so at once. So the first time is short, to avoid holding up thousands
    of long-running handlers for one suspect. If it was too short, the death of the process is counted against several
    suspects. When they are retried, each gets more time alone. It is longest when the next step is the dead letters.

    Args:
        chances: How many more times the entry may be delivered after this one.
    """
    return _ALONE_SECONDS[max(0, min(chances, len(_ALONE_SECONDS) - 1))]


def call_alone_seconds(request: Request, waiting: int, now: int) -> float:
    """Seconds during which no other suspect is started beside a request whose caller waits for the reply.

    The request has no other chance, but neither have the suspects behind it if they start too late. So each gets an
    equal share of the time for which its caller still waits, minus a reserve for its handler.

    Args:
        request: The request.
        waiting: How many suspects wait behind it.
        now: The server's time in ms.
    """
    if request.deadline is None or request.credit is not None:
        # The caller of a stream waits 20 s for a sign of life.
        return max(_LEAST_ALONE, min(1.0, _STREAMS_SECONDS / (waiting + 1)))
    left = (request.deadline - now) / 1000 - _HANDLER_SECONDS
    return max(_LEAST_ALONE, min(_MOST_ALONE, left / (waiting + 1)))
