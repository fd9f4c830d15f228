"""The memory of this process that others make it use: one limit for all of them, in bytes."""

from __future__ import annotations

from typing import Protocol

__all__ = ["MAX_HELD", "Budget", "Holder"]

MAX_HELD = 67_108_864
"""Bytes that one process holds for its clients, by default."""


class Holder(Protocol):
    """Somebody for whom memory is used: half of a message, an answer that is not read."""

    def evict(self) -> None:
        """Give the memory up: others need it. Called once; it is accounted for no longer."""
        ...


class Budget:
    """Bytes that are held for others, all together. Where they are too many, whoever has held some for longest goes.

    Honest peers hold something for milliseconds; it is those who never finish that have held it for long.

    Args:
        limit: How many bytes may be held.

    Attributes:
        limit: How many bytes may be held.
        used: How many are.
        evictions: How often somebody had to give up.
    """

    def __init__(self, limit: int) -> None:
        self.limit: int = limit
        self.used: int = 0
        self.evictions: int = 0
        self._held: dict[Holder, int] = {}

    def hold(self, holder: Holder, size: int) -> None:
        """Account for all that `holder` has now, in bytes; 0: nothing any more. It may be evicted at once."""
        before = self._held.get(holder, 0)
        if size == before:
            return
        self.used += size - before
        if size == 0:
            del self._held[holder]
            return
        self._held[holder] = size
        while self.used > self.limit and len(self._held) > 1:  # what one alone holds is limited elsewhere
            oldest = next(iter(self._held))
            self.used -= self._held.pop(oldest)
            self.evictions += 1
            oldest.evict()

    def release(self, holder: Holder) -> None:
        """`holder` has nothing any more."""
        self.used -= self._held.pop(holder, 0)
