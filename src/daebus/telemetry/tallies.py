"""What may recur without end is told in the log at times only, with how often it has been."""

from __future__ import annotations

import time

__all__ = ["Tally"]

_QUIET_SECONDS = 60.0


class Tally:
    """Counts one thing that recurs, and says when to tell of it: at 1, 2, 4, 8, …, lest a flood floods the log.

    Args:
        forgets: Whether to count from 1 again where it has not been for a minute.
        reminds: Whether to tell of it also where that was more than a minute ago.

    Attributes:
        count: How often it has been.
    """

    def __init__(self, *, forgets: bool = False, reminds: bool = False) -> None:
        self._forgets = forgets
        self._reminds = reminds
        self._last = 0.0
        self._told = 0.0
        self.count: int = 0

    def add(self) -> bool:
        """Count one more; returns whether to tell of it."""
        now = time.monotonic()
        if self._forgets and now - self._last > _QUIET_SECONDS:
            self.count = 0
        self._last = now
        self.count += 1
        tells = self.count & (self.count - 1) == 0 or (self._reminds and now - self._told > _QUIET_SECONDS)
        if tells:
            self._told = now
        return tells
