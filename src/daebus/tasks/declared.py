"""What a service tells operators about its tasks, as JSON in Redis."""

from __future__ import annotations

import msgspec

from daebus.declare.schedules import Cron, Interval, Schedule, TaskPolicy
from daebus.payloads.codec import encode

from .planning import Planner
from .runs import ScheduledTask

__all__ = ["Declared", "description"]


class Declared(TaskPolicy, frozen=True, omit_defaults=True):
    """A task, as its service has declared it.

    Attributes:
        seconds: Its interval; None: it has a cron expression.
        cron: Its cron expression; None: it has an interval.
        zone: The time zone of the expression.
    """

    seconds: float | None = None
    cron: str | None = None
    zone: str = "UTC"

    @property
    def schedule(self) -> Schedule:
        """When it is due. Raises `ValueError` for what no service declares."""
        return Interval(self.seconds or 0) if self.cron is None else Cron(self.cron, self.zone)

    def planner(self, name: str) -> Planner:
        """Plans its runs, as its service does. Raises `ValueError` as `schedule`."""
        return Planner(name, self.schedule, self.catch_up, self.jitter)


def description(task: ScheduledTask) -> bytes:
    """The JSON of a task."""
    policy = msgspec.structs.asdict(task.policy)
    if isinstance(task.schedule, Cron):
        return encode(Declared(cron=task.schedule.expression, zone=task.schedule.zone, **policy))
    return encode(Declared(seconds=task.schedule.seconds, **policy))
