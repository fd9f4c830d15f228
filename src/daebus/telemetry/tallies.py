"""Tallies: repeated occurrences are logged only sometimes, with their count."""

from __future__ import annotations

import time

__all__ = ["Tally"]


class Tally:
    """Counts one kind of occurrence, and says when to log it: at 1, 2, 4, 8, …, so that it cannot flood the log.

    Args:
        forgets: Whether to count from 1 again if it has not occurred for `quiet`.
        reminds: Whether to log it also if it was last logged longer than `quiet` ago.
        quiet: A time in seconds.

    Attributes:
        count: How often it has occurred.
    """

    def __init__(self, *, forgets: bool = False, reminds: bool = False, quiet: float = 60.0) -> None:
        self._forgets = forgets
        self._reminds = reminds
        self._quiet = quiet
        self._last = 0.0
        self._told = 0.0
        self.count: int = 0

    def add(self) -> bool:
        """Count one more; return whether to log it."""
        now = time.monotonic()
        if self._forgets and now - self._last > self._quiet:
            self.count = 0
        self._last = now
        self.count += 1
        tells = self.count & (self.count - 1) == 0 or (self._reminds and now - self._told > self._quiet)
        if tells:
            self._told = now
        return tells
