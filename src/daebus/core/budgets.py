"""The memory budget of a process for its clients: one limit in bytes for all of them."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["MAX_HELD", "Budget", "Holder"]

MAX_HELD = 67_108_864
"""The default for the bytes that one process may hold for its clients."""


_PAUSES, _PAUSE = 200, 0.002


class Holder(Protocol):
    """A peer for which memory is used: half of a message, an answer that is not read."""

    def evict(self) -> None:
        """Give up the memory and then release it, because others need it. Called once."""
        ...


class Budget:
    """The bytes that are held for all peers together. Above the limit, the holder with the longest hold is evicted.

    Usually a client holds memory for milliseconds. A client that holds it for long probably never finishes.

    Args:
        limit: How many bytes may be held.

    Attributes:
        limit: How many bytes may be held.
        used: How many bytes are held.
        evictions: How often a holder was evicted.
        is_tight: Whether the held bytes, together with those that evicted holders have yet to free, exceed the limit.
    """

    def __init__(self, limit: int) -> None:
        self.limit: int = limit
        self.used: int = 0
        self.evictions: int = 0
        self.is_tight: bool = False  # asked for each request: it must not take longer than an attribute
        self._held: dict[Holder, int] = {}
        self._leaving: dict[Holder, int] = {}  # evicted holders that have yet to free their memory
        self._left = 0

    async def relief(self) -> None:
        """Wait for a moment, if memory is tight, before starting work that may take memory."""
        for _ in range(_PAUSES):
            await asyncio.sleep(_PAUSE)  # evicted holders get their turn
            if not self.is_tight:
                return

    def hold(self, holder: Holder, size: int) -> None:
        """Set the bytes that `holder` has now; 0: none any more. It may be evicted at once."""
        if holder in self._leaving:
            return
        before = self._held.get(holder, 0)
        self.used += size - before
        if size == 0:
            self._held.pop(holder, None)
            self._look()
            return
        self._held[holder] = size
        while self.used > self.limit and len(self._held) > 1:  # the memory of a single holder is limited elsewhere
            self.evictions += 1
            oldest = next(iter(self._held))
            freed = self._leaving[oldest] = self._held.pop(oldest)
            self.used -= freed
            self._left += freed
            self._look()
            oldest.evict()
        self._look()

    def release(self, holder: Holder) -> None:
        """Record that `holder` has no memory any more; must be called after it was evicted, too."""
        self.used -= self._held.pop(holder, 0)
        self._left -= self._leaving.pop(holder, 0)
        self._look()

    def _look(self) -> None:
        self.is_tight = self.used + self._left > self.limit
