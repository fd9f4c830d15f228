"""A task that the replicas of a service share: one of them claims each run, and the end of the run is recorded."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import cast
from zoneinfo import ZoneInfo

from daebus.connection.resp import CommandError
from daebus.declare.schedules import Cron, Reason, Run
from daebus.errors import Unavailable
from daebus.protocol.fences import drawn_fence
from daebus.telemetry.logs import Logger

from .declared import description
from .planning import Plan, Planner
from .records import NO_CLAIM, Claim, End, TaskRecord, TaskState
from .runs import Alarm, Runs, ScheduledTask

__all__ = ["SharedTask"]

_NO_PLAN = Plan(0, 0)


class SharedTask:
    """A task that the replicas of a service share.

    Args:
        task: The task.
        record: Its record in Redis.
        runs: The runs in progress in this process.
        alarm: Ends its naps.
        logger: For what happens to its runs.
        renew_every: Seconds between two renewals of the lease.
        cancels: Whether a run that another replica has taken over is cancelled.
    """

    def __init__(
        self,
        task: ScheduledTask,
        record: TaskRecord,
        runs: Runs,
        alarm: Alarm,
        logger: Logger,
        *,
        renew_every: float,
        cancels: bool,
    ) -> None:
        self._task = task
        self._planner = Planner(task.name, task.schedule, task.policy.catch_up, task.policy.jitter)
        self._record = record
        self._runs = runs
        self._alarm = alarm
        self._logger = logger
        self._renew_every = renew_every
        self._cancels = cancels
        self._is_declared = False
        self._last = 0
        self._plan = _NO_PLAN
        self._basis = ""
        self._known = 0  # the number of the last run that was started here
        self._unrecorded: tuple[TaskState, End] | None = None
        self._latest = sys.maxsize  # nothing is known of the server's clock yet
        self._watch: tuple[int, float] = (0, 0.0)  # the end of another's lease, and since when we have seen it
        self._watch_for: float = renew_every

    async def step(self) -> None:
        """Ask once; then wait, or run if the task was claimed."""
        await self._catch_up_on_records()
        asked, before, due = time.monotonic(), self._last, self._plan.due
        lease_end, since = self._watch
        # While the server was away, an owner could not renew: it gets some time in which we see the server and it may.
        self._watch = (0, 0.0)
        watched = lease_end if asked - since >= self._watch_for else 0
        state = await self._record.ask(self._last, due, watched, self._latest, self._claim())
        self._tell(state)
        self._look(state)
        if state.won and self._runs.stopping:
            await self._record.release(before, state.fence, End("returned"), state)
        elif state.won:
            if due and state.by == "schedule":
                self._task.delayed(max(0, state.now - due) / 1000)
            await self._run(state, asked)
        else:
            await self._wait(state, asked, lease_end, since)

    async def _catch_up_on_records(self) -> None:
        if self._unrecorded is not None:  # the server was away, and may have lost its data
            self._is_declared = False
            await self._end(*self._unrecorded)
        if not self._is_declared:
            await self._record.declare(description(self._task))
            self._is_declared = True

    def _claim(self) -> Claim:
        plan = self._plan
        if plan is _NO_PLAN:
            return NO_CLAIM._replace(known=self._known)
        return Claim(self._known, plan.target, plan.missed, plan.mark, plan.stale, plan.period, self._basis)

    def _look(self, state: TaskState) -> None:
        """Plan the next run by what the server has answered."""
        self._latest = self._task.schedule.latest_start(state.now)
        self._last = state.last
        floor = max(state.resumed, state.ended if self._task.policy.overlap == "skip" else 0)
        self._plan = self._planner.plan(min(state.last, self._latest), min(floor, state.now), state.now)
        self._basis = state.basis

    def _tell(self, state: TaskState) -> None:
        about = {"task": self._task.name}
        if state.lost:
            self._is_declared = False
            self._logger.warning("record of a background task was lost and is made again", **about)
        if state.gone:
            lost = f"its instance {state.gone} vanished"
            self._logger.warning("run of a background task was interrupted", **about, reason=lost)
        if state.missed:
            self._logger.warning("runs of a background task were missed", **about, count=state.missed)
        self._tell_pause(state.stopped)

    def _tell_pause(self, failures: int) -> None:
        if failures:
            hint = "find the cause, then: daebus schedules resume"
            self._logger.error("background task is paused", task=self._task.name, failures_in_a_row=failures, hint=hint)

    async def _wait(self, state: TaskState, asked: float, lease_end: int, since: float) -> None:
        until_due = (self._plan.due - state.now) / 1000
        seconds = sys.maxsize if state.paused else max(until_due, 0.0)
        if state.held_until:
            self._watch = (lease_end, since) if state.held_until == lease_end else (state.held_until, asked)
            self._watch_for = state.held_for / 3000  # as often as the owner renews
            left = (state.held_until - state.now) / 1000
            again = min(left, self._watch_for) if left > 0 else self._watch_for
            # Also before it is due: an owner that vanished is found as soon as its lease is out.
            seconds = min(seconds, again) if until_due > 0 else again
        if seconds > 0:
            await self._alarm.nap(seconds + self._record.jitter)

    async def _run(self, state: TaskState, asked: float) -> None:
        self._known = state.fence
        # A process that was frozen since it asked may have lost the task again.
        if time.monotonic() - asked > self._renew_every and await self._renew(state) is None:
            return
        run = self._runs.start(self._task, self._made(state))
        reason = "" if await self._attended(run, state) else "another replica has taken it over"
        cancelled = "the service stopped" if self._runs.stopping else reason or "the next run is due"
        end = End("cancelled", cancelled) if run.cancelled() else run.result()
        if not reason:
            await self._end(state, end)

    async def _attended(self, run: asyncio.Task[End], state: TaskState) -> bool:
        """Renew the lease until the run has ended; False: another replica has taken it over."""
        wait: float | None = self._renew_every
        next_due = (
            time.monotonic() + (self._plan.due - state.now) / 1000 if self._task.policy.overlap == "cancel" else None
        )
        while not run.done():
            seconds = wait if next_due is None else min(wait or sys.maxsize, max(0.0, next_due - time.monotonic()))
            await asyncio.wait({run}, timeout=seconds)
            if run.done() or wait is None:
                continue
            if next_due is not None and time.monotonic() >= next_due:
                next_due = None
                self._logger.warning("run of a background task is cancelled: the next one is due", task=self._task.name)
                run.cancel()
            wait = await self._renew(state)
            if wait is None:
                next_due = None
                about = {"task": self._task.name, "cancelled": self._cancels}
                self._logger.warning("A background task was taken over by another replica.", **about)
                if self._cancels:
                    run.cancel()
        return wait is not None

    async def _end(self, state: TaskState, end: End) -> None:
        """Record the end of a run. If the server is away, it is recorded before the next question."""
        self._unrecorded = (state, end)
        try:
            stopped = await self._record.release(self._last, state.fence, end, state)
        except Unavailable:
            return
        self._unrecorded = None
        self._tell_pause(stopped)

    async def _renew(self, state: TaskState) -> float | None:
        """Seconds until the next renewal; None if another replica has the task."""
        try:
            return self._renew_every if await self._record.renew(state.last, state.fence) else None
        except (Unavailable, CommandError):
            return min(self._renew_every / 2, 1.0)

    def _made(self, state: TaskState) -> Run:
        schedule = self._task.schedule
        zone = ZoneInfo(schedule.zone) if isinstance(schedule, Cron) and schedule.zone != "UTC" else UTC
        previous = datetime.fromtimestamp(state.previous / 1000, zone) if 0 < state.previous < state.scheduled else None
        scheduled = datetime.fromtimestamp(state.scheduled / 1000, zone)
        return Run(drawn_fence(state.fence), scheduled, previous, cast("Reason", state.by))
