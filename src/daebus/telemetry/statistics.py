"""The statistics of a handler: how many messages it got, how long they took, and which errors they ended with."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Iterator

import msgspec

__all__ = ["BOUNDS", "UNSORTED", "LastError", "Statistics"]

BOUNDS: tuple[float, ...] = tuple(round(1e-5 * 2 ** (step / 2), 9) for step in range(48))
"""The upper bounds of the durations in a histogram, in seconds: 10 µs, 14 µs, 20 µs, …, 119 s. The last
bucket of a histogram has none.

Each one is √2 times the one before, so that a quantile read from the histogram is wrong by at most 20 %.
"""

UNSORTED = 1023
"""The mask of the number of messages at which the durations are sorted into the histogram: each 1,024th."""

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
    """The statistics of one handler in this process.

    Messages begin and end in the thread of its event loop only; other threads may read. Durations are kept as they
    come, and sorted into the histogram a thousand at a time, which takes less for each.

    Attributes:
        begun: The messages that were passed to the handler.
        ended: The durations in seconds that are not in the histogram yet.
        errors: How many messages ended with an error, by its code.
        last_error: The last of these errors.
    """

    __slots__ = ("_counts", "_lock", "_seconds", "begun", "ended", "errors", "last_error")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Begin again, for the next run of the service."""
        self.begun: int = 0
        self.ended: list[float] = []
        self._seconds = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)
        self.errors: dict[str, int] = {}
        self.last_error: LastError | None = None

    def begin(self) -> float:
        """A message is passed to the handler; returns the time for `end`. `dispatch` has these lines itself."""
        self.begun += 1
        if not self.begun & UNSORTED:
            self.sort()
        return time.perf_counter()

    def end(self, begun: float) -> None:
        """A message has ended, which began at a time of `begin`."""
        self.ended.append(time.perf_counter() - begun)

    def sort(self) -> None:
        """Sort the durations into the histogram."""
        with self._lock:
            number = len(self.ended)  # more of them may come meanwhile
            ended = sorted(self.ended[:number])
            del self.ended[:number]
            self._seconds += sum(ended)
            below = 0
            for index, bound in enumerate(BOUNDS):
                upto = bisect_right(ended, bound, below)
                self._counts[index] += upto - below
                below = upto
            self._counts[-1] += number - below

    def fail(self, code: str, message: str, request_id: str) -> None:
        """A message has ended with an error."""
        self.errors[code] = self.errors.get(code, 0) + 1
        shown = message if len(message) <= _LONGEST_TEXT else f"{message[: _LONGEST_TEXT - 1]}…"
        self.last_error = LastError(code, shown, int(time.time() * 1000), request_id)

    @property
    def in_flight(self) -> int:
        """The messages that have begun and not ended."""
        with self._lock:
            ended = sum(self._counts) + len(self.ended)
            return self.begun - ended

    @property
    def seconds(self) -> float:
        """The sum of the durations."""
        with self._lock:
            return self._seconds + sum(self.ended)

    def durations(self) -> Iterator[tuple[float | None, int]]:
        """The bounds of which the histogram has durations, with their number; None: above all bounds."""
        self.sort()
        for bound, count in zip((*BOUNDS, None), self._counts, strict=True):
            if count:
                yield bound, count
