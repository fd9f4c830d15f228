"""Suspects: entries whose last owner died, perhaps because of them. They are started one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Suspects", "Turn"]


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
