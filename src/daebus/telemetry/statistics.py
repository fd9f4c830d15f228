"""The statistics of a handler: how many messages it got, how long they took, and which errors they ended with."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator

import msgspec

__all__ = ["BOUNDS", "LastError", "Statistics"]

BOUNDS: tuple[float, ...] = tuple(round(1e-5 * 2 ** (step / 2), 9) for step in range(48))
"""The upper bounds of the durations in a histogram, in seconds: 10 µs, 14 µs, 20 µs, …, 119 s. The last
bucket of a histogram has none.

Each one is √2 times the one before, so that a quantile read from the histogram is wrong by at most 20 %.
"""

_LONGEST_TEXT = 300


class LastError(msgspec.Struct, frozen=True):
    """The last error of a handler.

    Attributes:
        code: Its code, such as ``not_found``.
        message: Its message, cut to 300 characters.
        at: When it happened, in ms since 1970 by the clock of its machine.
        request_id: The id under which the service has logged the message.
    """

    code: str
    message: str
    at: int
    request_id: str


class Statistics:
    """The statistics of one handler in this process. They are changed only in the thread of its event loop.

    Attributes:
        begun: The messages that were passed to the handler.
        seconds: The sum of their durations.
        counts: How many durations are at most each of `BOUNDS` and above the one before; the last: above all of them.
        errors: How many messages ended with an error, by its code.
        last_error: The last of these errors.
    """

    __slots__ = ("begun", "counts", "errors", "last_error", "seconds")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again, for the next run of the service."""
        self.begun: int = 0
        self.seconds: float = 0.0
        self.counts: list[int] = [0] * (len(BOUNDS) + 1)
        self.errors: dict[str, int] = {}
        self.last_error: LastError | None = None

    def end(self, begun: float) -> None:
        """A message has ended, which began at a time of `time.perf_counter`. `dispatch` has these lines itself."""
        seconds = time.perf_counter() - begun
        self.seconds += seconds
        self.counts[bisect_left(BOUNDS, seconds)] += 1

    def fail(self, code: str, message: str, request_id: str) -> None:
        """A message has ended with an error."""
        self.errors[code] = self.errors.get(code, 0) + 1
        shown = message if len(message) <= _LONGEST_TEXT else f"{message[: _LONGEST_TEXT - 1]}…"
        self.last_error = LastError(code, shown, int(time.time() * 1000), request_id)

    @property
    def in_flight(self) -> int:
        """The messages that have begun and not ended."""
        return self.begun - sum(self.counts)

    def durations(self) -> Iterator[tuple[float | None, int]]:
        """The bounds of which the histogram has durations, with their number; None: above all bounds."""
        for bound, count in zip((*BOUNDS, None), self.counts, strict=True):
            if count:
                yield bound, count
