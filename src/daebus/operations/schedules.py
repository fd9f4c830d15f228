"""The background tasks of a service, for operators: their runs, and how to pause, start and repeat them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

import msgspec

from daebus.connection.node import Node
from daebus.connection.scripts import NOW, Script
from daebus.errors import DaebusError
from daebus.mistakes.suggestions import did_you_mean, ended
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.tasks import TaskAct, declared_tasks, task_channel, task_record, task_runs, wanted_runs
from daebus.tasks.declared import Declared

from .task_reports import RunReport, TaskReport, number_in, run_report

__all__ = ["MOST_BACKFILLED", "Schedules", "TaskError", "services_with_tasks"]

MOST_BACKFILLED = 1_000
"""The most runs of one backfill."""

_ALL = declared_tasks("*")

_PAUSE = Script(
    NOW
    + """
if redis.call('HGET', KEYS[1], 'paused') then return 0 end
redis.call('HSET', KEYS[1], 'paused', string.format('%.0f', now), 'paused_by', ARGV[1])
return 1
"""
)

# The times of the pause are over: `resumed` keeps them from being made up.
_RESUME = Script(
    NOW
    + """
if redis.call('HDEL', KEYS[1], 'paused', 'paused_by') == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'failures')
redis.call('HSET', KEYS[1], 'resumed', string.format('%.0f', now))
return 1
"""
)

_TRIGGER = Script(
    NOW
    + """
return redis.call('RPUSH', KEYS[1], 'trigger ' .. string.format('%.0f', now) .. ' ' .. ARGV[1])
"""
)

_BACKFILL = Script("""
for index = 2, #ARGV do redis.call('RPUSH', KEYS[1], 'backfill ' .. ARGV[index] .. ' ' .. ARGV[1]) end
return #ARGV - 1
""")


class TaskError(DaebusError):
    """A task cannot be steered in this way, or there is none of this name."""


async def services_with_tasks(node: Node) -> list[str]:
    """The services that have declared a task that their replicas share."""
    before, _, after = _ALL.partition("*")
    return sorted(key.removeprefix(before).removesuffix(after) for key in await node.link.keys(_ALL))


class Schedules:
    """The tasks of a service that its replicas share.

    All methods raise `Unavailable`, and `TaskError` for a wrong name.

    Attributes:
        node: This process.
        service: The name of the service.
        who: Who steers, for the audit lines of the service, such as ``ann@host``.
    """

    def __init__(self, node: Node, service: str, who: str) -> None:
        self.node: Node = node
        self.service: str = service
        self.who: str = who

    async def all(self) -> list[TaskReport]:
        """The tasks, by name, also those that no instance has any more."""
        declared = await self._declared()
        return [await self._report(task, declared[task]) for task in sorted(declared)]

    async def history(self, task: str, count: int = 100) -> list[RunReport]:
        """The last runs of a task that have ended, the newest first."""
        await self._require(task)
        return await self._runs(task, count)

    async def pause(self, task: str) -> bool:
        """Pause the schedule of a task; a run in progress continues. Returns False if it was paused already."""
        await self._require(task)
        done = await self.node.link.script(_PAUSE, [self._record(task)], [self.who]) == 1
        await self._tell(task, "pause")
        return done

    async def resume(self, task: str) -> bool:
        """Resume the schedule of a task; the times of the pause are missed. Returns False if it was not paused."""
        await self._require(task)
        done = await self.node.link.script(_RESUME, [self._record(task)], []) == 1
        await self._tell(task, "resume")
        return done

    async def trigger(self, task: str) -> None:
        """Run a task once as soon as it does not run, also if its schedule is paused."""
        await self._require(task)
        await self.node.link.script(_TRIGGER, [wanted_runs(self.service, task)], [self.who])
        await self._tell(task, "trigger")

    async def backfill(self, task: str, start: datetime, end: datetime) -> int:
        """Run a task for each time of its cron expression from `start` to `end`, one after another.

        Args:
            task: The task.
            start: The first time; without a time zone, it is in that of the task.
            end: The last time; likewise.

        Returns:
            How many runs were asked for.

        Raises:
            TaskError: The task has an interval, or there are none or more than 1,000 times.
        """
        declared = await self._require(task)
        times = _times(self.service, task, declared, start, end)
        await self.node.link.script(_BACKFILL, [wanted_runs(self.service, task)], [self.who, *times])
        await self._tell(task, f"backfill of {len(times)} runs")
        return len(times)

    async def forget(self, task: str) -> None:
        """Delete the state and the history of a task that the service has no more.

        If an instance still has the task, it records it again, as one that has never run.
        """
        await self._require(task)
        keys = (self._record(task), task_runs(self.service, task), wanted_runs(self.service, task))
        await self.node.link.execute("DEL", *keys)
        await self.node.link.execute("HDEL", declared_tasks(self.service), task)
        await self._tell(task, "forget")

    def _record(self, task: str) -> str:
        return task_record(self.service, task)

    async def _declared(self) -> Mapping[str, bytes]:
        found = cast("list[bytes]", await self.node.link.execute("HGETALL", declared_tasks(self.service)))
        return {name.decode(errors="replace"): body for name, body in zip(found[::2], found[1::2], strict=True)}

    async def _require(self, task: str) -> Declared | None:
        declared = await self._declared()
        if task not in declared:
            hint = did_you_mean(task, sorted(declared), f"it has: {', '.join(sorted(declared)) or 'none'}")
            raise TaskError(ended(f"The service {self.service!r} has no background task {task!r}; {hint}"))
        return _decoded(declared[task])

    async def _report(self, task: str, body: bytes) -> TaskReport:
        link, declared = self.node.link, _decoded(body)
        flat = cast("list[bytes]", await link.execute("HGETALL", self._record(task)))
        fields = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
        runs = await self._runs(task, 1)
        waiting = cast("list[bytes]", await link.execute("LRANGE", wanted_runs(self.service, task), 0, -1))
        return TaskReport(
            service=self.service,
            task=task,
            schedule=_shown(declared),
            next=_next(task, declared, fields, self.node.clock.now()),
            last=runs[0] if runs else None,
            running=fields.get("owner") if fields.get("owner") != "-" else None,
            paused=number_in(fields, "paused") or None,
            paused_by=fields.get("paused_by"),
            missed=number_in(fields, "missed"),
            failures=number_in(fields, "failures"),
            waiting=len(waiting),
        )

    async def _runs(self, task: str, count: int) -> list[RunReport]:
        key = task_runs(self.service, task)
        rows = cast(
            "list[tuple[bytes, Sequence[bytes]]]",
            await self.node.link.execute("XREVRANGE", key, "+", "-", "COUNT", count),
        )
        return [run_report(fields) for _, fields in rows]

    async def _tell(self, task: str, what: str) -> None:
        await self.node.link.execute("PUBLISH", task_channel(self.service), encode(TaskAct(task, what, self.who)))


def _decoded(body: bytes) -> Declared | None:
    """What a service has declared; None: another version of daebus has written it."""
    try:
        return msgspec.json.decode(body, type=Declared)
    except UNDECODABLE:
        return None


def _shown(declared: Declared | None) -> str:
    if declared is None:
        return "?"
    return f"every {declared.seconds:g} s" if declared.cron is None else f"{declared.cron} {declared.zone}"


def _next(task: str, declared: Declared | None, fields: Mapping[str, str], now: int) -> int | None:
    if declared is None or "last" not in fields or "paused" in fields:
        return None
    floor = max(number_in(fields, "resumed"), number_in(fields, "ended") if declared.overlap == "skip" else 0)
    return declared.planner(task).plan(number_in(fields, "last"), floor, now).due


def _times(service: str, task: str, declared: Declared | None, start: datetime, end: datetime) -> list[int]:
    if declared is None or declared.cron is None:
        raise TaskError(f"The task {service}/{task} has no cron expression, so it has no times to run again for.")
    zone = ZoneInfo(declared.zone)
    first, last = (int(at.replace(tzinfo=at.tzinfo or zone).timestamp() * 1000) for at in (start, end))
    times: list[int] = []
    at = declared.schedule.next_after(first - 1000)
    while at <= last:
        times.append(at)
        if len(times) > MOST_BACKFILLED:
            raise TaskError(f"There are more than {MOST_BACKFILLED} times from {start} to {end}: give a shorter time.")
        at = declared.schedule.next_after(at)
    if not times:
        raise TaskError(f"{declared.cron!r} has no time from {start} to {end}: give a longer time.")
    return times
