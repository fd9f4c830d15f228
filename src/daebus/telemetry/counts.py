"""Counts of what happens in a process and is in the statistics of no handler."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from .histograms import Histogram

__all__ = ["Counts"]


class Counts:
    """The counts of one process. They are changed only in the thread of its event loop.

    The keys of the first three name a handler: ``action NAME`` or ``listen LISTENER``.

    Attributes:
        taken_over: The messages of dead instances that it has taken over.
        retried: The messages that failed and will be tried again.
        buried: The messages that it has moved to the dead letters.
        delays: How much later than due it has started the runs of each background task.
        hearing: Called with each of these delays: the name of the task, and the seconds.
    """

    def __init__(self) -> None:
        self.taken_over: Counter[str] = Counter()
        self.retried: Counter[str] = Counter()
        self.buried: Counter[str] = Counter()
        self.delays: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.hearing: list[Callable[[str, float], object]] = []

    def delayed(self, task: str, seconds: float) -> None:
        """A run of a background task starts so many seconds later than it was due."""
        self.delays[task].add(seconds)
        for hear in self.hearing:
            hear(task, seconds)
