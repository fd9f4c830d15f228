"""Suspects: entries whose last owner died, one of which may be what killed it. They are begun one at a time."""

from __future__ import annotations

import asyncio

__all__ = ["Suspects", "Turn"]

_ALONE_SECONDS = (300.0, 10.0, 1.0, 0.1)


class Turn:
    """The time of one suspect, in which no other is begun. It ends once."""

    __slots__ = ("_lock", "_timer")

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock: asyncio.Lock | None = lock
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, chances: int) -> None:
        """It is begun, and the next one need not wait for its end if that takes too long.

        What kills a process mostly does so at once, so the first time is short, not to hold up thousands of long
        handlers for the sake of one. Where it was too short, several are charged with the death of their process, and
        have more time alone when they are suspects again; most of it when nothing but the dead letters is left.

        Args:
            chances: How often it may be given to an instance after this time.
        """
        alone = _ALONE_SECONDS[max(0, min(chances, len(_ALONE_SECONDS) - 1))]
        self._timer = asyncio.get_running_loop().call_later(alone, self.end)

    def end(self) -> None:
        """Let the next one begin."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


class Suspects:
    """The turns of the suspects of one instance, whichever streams they come from."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def turn(self) -> Turn:
        """Wait until no other suspect has its turn."""
        await self._lock.acquire()
        return Turn(self._lock)
