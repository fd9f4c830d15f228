"""When a background task is due."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec
from cronsim import CronSim, CronSimError

__all__ = ["Cron", "Interval", "Schedule", "make_schedule"]

# Any past time will do: whether an expression ever matches does not depend on it.
_PROBE_MS = 0
# A century is practically never, and its sum with any clock time is still exact in Lua's floating point numbers.
_MAX_SECONDS = 100 * 366 * 86_400


class Interval(msgspec.Struct, frozen=True):
    """Due a fixed time after the start of the last run.

    Attributes:
        seconds: At least 0.001, at most a century. Raises `ValueError` for anything else.
    """

    seconds: float

    def __post_init__(self) -> None:
        try:
            finite = math.isfinite(self.seconds) and not isinstance(self.seconds, bool)
        except TypeError:
            raise ValueError(f"The interval {self.seconds!r} is not a number of seconds.") from None
        if not finite or self.seconds <= 0:
            raise ValueError(f"The interval is {self.seconds} seconds: give a number above 0.")
        if not 0.001 <= self.seconds <= _MAX_SECONDS:
            raise ValueError(f"The interval is {self.seconds} seconds: give at least 0.001 and at most {_MAX_SECONDS}.")

    def next_after(self, last_ms: int) -> int:
        """When the next run is due, in epoch milliseconds; `last_ms` is the start of the last one."""
        return last_ms + round(self.seconds * 1000)

    def latest_start(self, now_ms: int) -> int:
        """The latest start of the last run that counts at this time. It can only be later if the clock was set back."""
        return now_ms


class Cron(msgspec.Struct, frozen=True):
    """Due each time a cron expression matches, in UTC.

    Attributes:
        expression: Five fields: minute, hour, day of month, month, day of week. Raises `ValueError` where it is wrong
            or never matches.
    """

    expression: str

    def __post_init__(self) -> None:
        try:
            fields = len(self.expression.split())
        except AttributeError:
            raise ValueError(f"The cron expression {self.expression!r} is not a string.") from None
        # The library also accepts a leading field of seconds, which is not standard cron.
        if fields != 5:
            raise ValueError(
                f"The cron expression {self.expression!r} has {fields} fields: "
                "give five (minute, hour, day of month, month, day of week), such as '0 3 * * *'."
            )
        try:
            self.next_after(_PROBE_MS)
        except CronSimError as error:
            wrong = str(error).removeprefix("Bad ")
            raise ValueError(
                f"The {wrong} of the cron expression {self.expression!r} is malformed, out of range, or never matches."
            ) from None
        except StopIteration:
            raise ValueError(f"The cron expression {self.expression!r} never matches: no such day exists.") from None

    def next_after(self, last_ms: int) -> int:
        """When the next run is due, in epoch milliseconds; `last_ms` is the start of the last one."""
        start = datetime.fromtimestamp(last_ms // 1000, UTC)
        return int(next(CronSim(self.expression, start)).timestamp()) * 1000

    def latest_start(self, now_ms: int) -> int:
        """The latest start of the last run that counts at this time. It can only be later if the clock was set back.

        So of the times that come again after that, one is left out, because the run that was started was for one.
        """
        return self.next_after(now_ms)


Schedule: TypeAlias = Interval | Cron
"""When a background task is due."""


def make_schedule(seconds: float | None, every: timedelta | None, cron: str | None) -> Schedule:
    """The schedule of a task. Raises `ValueError`, with one sentence, unless exactly one of the three is given."""
    if seconds is not None and every is None and cron is None:
        return Interval(seconds)
    if every is not None and seconds is None and cron is None:
        try:
            return Interval(every.total_seconds())
        except AttributeError:
            raise ValueError(f"every={every!r} is not a timedelta: write every=timedelta(seconds=...).") from None
    if cron is not None and seconds is None and every is None:
        return Cron(cron)
    raise ValueError(
        "A background task has exactly one schedule: give seconds, or every=timedelta(...), or cron='0 3 * * *'."
    )
