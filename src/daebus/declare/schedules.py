"""When a background task is due."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

__all__ = ["Cron", "Interval", "Overlap", "Reason", "Run", "Schedule", "TaskPolicy", "make_schedule"]

Overlap: TypeAlias = Literal["wait", "skip", "cancel"]
"""What becomes of a run that is due during another run of the task."""

Reason: TypeAlias = Literal["schedule", "trigger", "backfill"]
"""Why a task runs: its schedule, `daebus schedules trigger`, or `daebus schedules backfill`."""

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
    """Due each time a cron expression matches.

    A time that a change to daylight-saving time leaves out is due at the end of the gap; one that comes twice is due
    the first time. An expression whose minute or hour begins with ``*`` follows the elapsed time instead.

    Attributes:
        expression: Five fields: minute, hour, day of month, month, day of week. Raises `ValueError` where it is wrong
            or never matches.
        zone: The time zone, such as ``Europe/Berlin``. Raises `ValueError` if the system has none of this name.
    """

    expression: str
    zone: str = "UTC"

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
            ZoneInfo(self.zone)
        except (OSError, ValueError, TypeError, KeyError):  # it is looked up as a file
            raise ValueError(
                f"The time zone {self.zone!r} is unknown on this system: "
                "give a name such as 'Europe/Berlin', or install the package tzdata."
            ) from None
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
        start = datetime.fromtimestamp(last_ms // 1000, UTC if self.zone == "UTC" else ZoneInfo(self.zone))
        times = CronSim(self.expression, start)
        # In an hour that comes again, the library begins with the first of the two.
        while (found := int(next(times).timestamp())) <= last_ms // 1000:
            pass
        return found * 1000

    def latest_start(self, now_ms: int) -> int:
        """The latest start of the last run that counts at this time. It can only be later if the clock was set back.

        So of the times that come again after that, one is left out, because the run that was started was for one.
        """
        return self.next_after(now_ms)


Schedule: TypeAlias = Interval | Cron
"""When a background task is due."""


class TaskPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a task that the replicas share, beside its schedule.

    Attributes:
        overlap: ``wait``: a run that is due during another one starts after it, and several become one; ``skip``: it is
            missed; ``cancel``: the other one is cancelled.
        catch_up: How many seconds ago a missed run may lie and is still made up; None: those missed become one run.
        jitter: The upper limit, in seconds, of the delay of each run.
        pause_after: After how many failures in a row the schedule is paused; 0: never.
        history: How many runs are kept.
    """

    overlap: Overlap = "wait"
    catch_up: float | None = None
    jitter: float = 0.0
    pause_after: int = 0
    history: int = 100


class Run(msgspec.Struct, frozen=True):
    """A run of a background task that the replicas of a service share."""

    token: str
    """The fencing token: a text that is greater than that of any run of the task before, as `Context.fence`.

    Store it with what the run writes: ``UPDATE ... WHERE token <= :token``.
    """
    scheduled_for: datetime
    """The time for which the run is, without jitter and delay; in UTC, or in the zone of the task.

    It is the time of the trigger if the run was triggered.
    """
    previous: datetime | None = None
    """The latest time for which a run has succeeded, in the same zone.

    None: none has, or only one for a later time, as during a backfill.
    """
    by: Reason = "schedule"
    """Why it runs: ``schedule``, ``trigger`` or ``backfill``."""


def make_schedule(
    seconds: float | None, every: timedelta | None, cron: str | None, zone: str | None = None
) -> Schedule:
    """The schedule of a task. Raises `ValueError`, with one sentence, unless exactly one of the three is given."""
    if zone is not None and cron is None:
        raise ValueError(f"zone={zone!r} has no effect without cron=: give cron='0 3 * * *', or remove it.")
    if seconds is not None and every is None and cron is None:
        return Interval(seconds)
    if every is not None and seconds is None and cron is None:
        try:
            return Interval(every.total_seconds())
        except AttributeError:
            raise ValueError(f"every={every!r} is not a timedelta: write every=timedelta(seconds=...).") from None
    if cron is not None and seconds is None and every is None:
        return Cron(cron, "UTC" if zone is None else zone)
    raise ValueError(
        "A background task has exactly one schedule: give seconds, or every=timedelta(...), or cron='0 3 * * *'."
    )
