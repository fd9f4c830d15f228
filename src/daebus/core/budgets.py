"""The memory of this process that others make it use: one limit for all of them, in bytes."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["MAX_HELD", "Budget", "Holder"]

MAX_HELD = 67_108_864
"""Bytes that one process holds for its clients, by default."""


_PAUSES, _PAUSE = 200, 0.002


class Holder(Protocol):
    """Somebody for whom memory is used: half of a message, an answer that is not read."""

    def evict(self) -> None:
        """Give the memory up, and release it then: others need it. Called once."""
        ...


class Budget:
    """Bytes that are held for others, all together. Where they are too many, whoever has held some for longest goes.

    Honest peers hold something for milliseconds; it is those who never finish that have held it for long.

    Args:
        limit: How many bytes may be held.

    Attributes:
        limit: How many bytes may be held.
        used: How many are.
        evictions: How often somebody had to go.
        is_tight: Whether what is held, and what those who had to go have yet to free, is too much.
    """

    def __init__(self, limit: int) -> None:
        self.limit: int = limit
        self.used: int = 0
        self.evictions: int = 0
        self.is_tight: bool = False  # asked for each request: it must not take longer than an attribute
        self._held: dict[Holder, int] = {}
        self._leaving: dict[Holder, int] = {}  # those who had to go, and have yet to let go of it
        self._left = 0

    async def relief(self) -> None:
        """Wait for a moment, where it is tight, before something is begun that may take memory."""
        for _ in range(_PAUSES):
            await asyncio.sleep(_PAUSE)  # those who had to go get their turn
            if not self.is_tight:
                return

    def hold(self, holder: Holder, size: int) -> None:
        """Account for all that `holder` has now, in bytes; 0: nothing any more. It may be evicted at once."""
        if holder in self._leaving:
            return
        before = self._held.get(holder, 0)
        self.used += size - before
        if size == 0:
            self._held.pop(holder, None)
            self._look()
            return
        self._held[holder] = size
        while self.used > self.limit and len(self._held) > 1:  # what one alone holds is limited elsewhere
            self.evictions += 1
            oldest = next(iter(self._held))
            freed = self._leaving[oldest] = self._held.pop(oldest)
            self.used -= freed
            self._left += freed
            self._look()
            oldest.evict()
        self._look()

    def release(self, holder: Holder) -> None:
        """`holder` has nothing any more; to be called also after it was evicted."""
        self.used -= self._held.pop(holder, 0)
        self._left -= self._leaving.pop(holder, 0)
        self._look()

    def _look(self) -> None:
        self.is_tight = self.used + self._left > self.limit
