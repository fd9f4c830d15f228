"""Histograms of durations, with the buckets that the conventions of OpenTelemetry ask for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

__all__ = ["BUCKETS", "Histogram"]

BUCKETS: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The upper bounds of the buckets in seconds. The last bucket of a histogram has none."""


class Histogram:
    """Durations of one kind. It is changed in one thread, and may be read in any.

    Attributes:
        seconds: Their sum.
        counts: How many are at most each of `BUCKETS` and above the one before; the last: above all of them.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.seconds: float = 0.0
        self.counts: list[int] = [0] * (len(BUCKETS) + 1)

    def add(self, seconds: float) -> None:
        """Add a duration."""
        self.seconds += seconds
        self.counts[bisect_left(BUCKETS, seconds)] += 1

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """The bounds, the last one infinite, with the number of durations up to each."""
        total = 0
        for bound, count in zip((*BUCKETS, float("inf")), list(self.counts), strict=True):
            total += count
            yield bound, total
