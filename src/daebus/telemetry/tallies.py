"""What may recur without end is told in the log at times only, with how often it has been."""

from __future__ import annotations

import time

__all__ = ["Tally"]


class Tally:
    """Counts one thing that recurs, and says when to tell of it: at 1, 2, 4, 8, …, lest a flood floods the log.

    Args:
        forgets: Whether to count from 1 again where it has not been for `quiet`.
        reminds: Whether to tell of it also where that was longer than `quiet` ago.
        quiet: A time in seconds.

    Attributes:
        count: How often it has been.
    """

    def __init__(self, *, forgets: bool = False, reminds: bool = False, quiet: float = 60.0) -> None:
        self._forgets = forgets
        self._reminds = reminds
        self._quiet = quiet
        self._last = 0.0
        self._told = 0.0
        self.count: int = 0

    def add(self) -> bool:
        """Count one more; returns whether to tell of it."""
        now = time.monotonic()
        if self._forgets and now - self._last > self._quiet:
            self.count = 0
        self._last = now
        self.count += 1
        tells = self.count & (self.count - 1) == 0 or (self._reminds and now - self._told > self._quiet)
        if tells:
            self._told = now
        return tells
