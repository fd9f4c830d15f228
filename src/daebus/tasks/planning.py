"""When the next run of a task starts, for which time, and how many times before that have no run."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from daebus.declare.schedules import Cron, Interval, Schedule

__all__ = ["GRACE_MS", "MOST_COUNTED", "Plan", "Planner"]

GRACE_MS = 10_000
"""A run that starts so much later than due is not missed, whatever `catch_up` is."""

MOST_COUNTED = 1_000
"""More missed times than this are not counted at once: a century of minutes would take too long."""

_WINDOWS = (3_600_000, 86_400_000, 32 * 86_400_000, 367 * 86_400_000)


class Plan(NamedTuple):
    """The next run, in ms of the server's clock.

    Attributes:
        due: When it starts: its time, and the jitter.
        target: The time for which it is.
        missed: How many times before that have no run.
        mark: What becomes the recorded start; 0: the start.
        stale: From when on the plan is not valid any more; 0: it stays valid.
        period: The interval; 0: it is a cron expression.
    """

    due: int
    target: int
    missed: int = 0
    mark: int = 0
    stale: int = 0
    period: int = 0


class Planner(msgspec.Struct, frozen=True):
    """Plans the runs of a task; all replicas come to the same plan.

    Attributes:
        name: The name of the task, for its jitter.
        schedule: When it is due.
        catch_up: How many seconds ago a missed run may lie and is still made up; None: those that were missed become
            one run.
        jitter: The upper limit, in seconds, of the delay of each run.
    """

    name: str
    schedule: Schedule
    catch_up: float | None = None
    jitter: float = 0.0

    def plan(self, last: int, floor: int, now: int) -> Plan:
        """The next run after `last`, the recorded start; times until `floor` are over."""
        if isinstance(self.schedule, Interval):
            return self._after_interval(self.schedule, last, floor)
        return self._after_cron(self.schedule, last, max(last, floor), now)

    def _after_interval(self, schedule: Interval, last: int, floor: int) -> Plan:
        period = schedule.next_after(0)
        missed = max(0, (floor - last) // period)
        target = last + (missed + 1) * period
        return Plan(self._start(target), target, missed, period=period)

    def _after_cron(self, cron: Cron, last: int, base: int, now: int) -> Plan:
        missed = _count(cron, last, base + 1)
        target = cron.next_after(base)
        if self.catch_up is not None:
            window = max(round(self.catch_up * 1000), GRACE_MS)
            if target < now - window:
                first = cron.next_after(now - window - 1000)
                missed, target = missed + _count(cron, base, first), first
            return Plan(self._start(target), target, missed, mark=target, stale=self._start(target) + window)
        if self._start(target) <= now:
            latest = self._latest(cron, target, now)
            missed, target = missed + _count(cron, base, latest), latest
        return Plan(self._start(target), target, missed, stale=self._start(cron.next_after(target)))

    def _latest(self, cron: Cron, first: int, now: int) -> int:
        """The latest time that has started by now; `first` is one."""
        for window in _WINDOWS:
            found = 0
            for time in _between(cron, max(first - 1000, now - window), now + 1):
                if self._start(time) <= now:
                    found = time
            if found:
                return found
        return first

    def _start(self, target: int) -> int:
        """When the run for a time starts; the same on all replicas."""
        limit = round(self.jitter * 1000)
        return target + (zlib.crc32(f"{self.name} {target}".encode()) % limit if limit else 0)


def _between(cron: Cron, after: int, before: int) -> Iterator[int]:
    time = cron.next_after(after)
    while time < before:
        yield time
        time = cron.next_after(time)


def _count(cron: Cron, after: int, before: int) -> int:
    count = 0
    for _ in _between(cron, after, before):
        count += 1
        if count == MOST_COUNTED:
            break
    return count
