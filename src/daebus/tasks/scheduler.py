"""Background tasks: run by their schedule, on one replica at a time or on each. Runs of a task never overlap."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal

import msgspec

from daebus.connection.link import Link
from daebus.connection.resp import CommandError
from daebus.core.context import Fence
from daebus.core.pauses import pauses
from daebus.declare.schedules import Schedule
from daebus.delivery.grace import CUT_SECONDS, Grace
from daebus.errors import Unavailable
from daebus.protocol.fences import drawn_fence
from daebus.queues.lapses import OnLapse
from daebus.telemetry.logs import Logger

from .records import TaskRecord

__all__ = ["ScheduledTask", "Scheduler"]

_LONGEST_NAP = 30.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


def _ignore(_: float) -> None: ...


class ScheduledTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a service.

    Attributes:
        name: Its name, unique in the service.
        schedule: When it is due.
        scope: ``service``: on one replica at a time; ``replica``: on each.
        run: Runs it once, given the fence of the run; None: it has none, as each replica runs the task. Its errors are
            logged, and the schedule continues.
        delayed: Called at the start of a run with how many seconds later than due it starts, where that is known.
    """

    name: str
    schedule: Schedule
    scope: Literal["service", "replica"]
    run: Callable[[Fence | None], Awaitable[object]]
    delayed: Callable[[float], object] = _ignore


class Scheduler:
    """Runs the background tasks of one service process.

    A task of scope ``service`` is due by the server's clock, counted from the start of its last run on any replica. If
    no run is recorded, it is counted from the first start of the service. Missed runs become one run. If a run takes
    longer than its interval, the next one starts when it ends. A run continues while its replica cannot reach the
    server. It is cancelled when another replica has taken the task over, which happens if its lease expired while the
    server was reachable.
    """

    def __init__(
        self,
        link: Link,
        *,
        service: str,
        instance: str,
        logger: Logger,
        lease: float = 6.0,
        on_lapse: OnLapse = "cancel",
    ) -> None:
        """Set up the scheduler; nothing runs yet.

        Args:
            link: The connection. It may be down, also for long.
            service: The service's name.
            instance: This process, unlike any other.
            logger: For failures.
            lease: Seconds after which a replica that vanished during a run no longer blocks the task. After a time in
                which the server hung or was away, a lease must suffice for connecting again.
            on_lapse: ``continue``: a run that another replica has taken over is not cancelled, only logged.
        """
        self._link = link
        self._service = service
        self._instance = instance
        self._logger = logger
        self._lease = lease
        self._cancels = on_lapse == "cancel"
        self._runs = _Runs(logger)
        self._loops: list[asyncio.Task[None]] = []
        self._waiting: set[str] = set()

    async def start(self, tasks: Sequence[ScheduledTask]) -> None:
        """Start to follow the schedules of `tasks`."""
        for task in tasks:
            self._loops.append(asyncio.create_task(self._follow(task), name=f"schedule of {task.name}"))

    async def stop(self, grace: Grace) -> None:
        """Start no more runs, and wait for those in progress."""
        self._runs.stopping.set()
        if not self._loops:
            return
        _, busy = await asyncio.wait(self._loops, timeout=grace.left)
        await grace.end(self._runs.running)
        if busy:  # they have yet to say that their run has ended
            _, busy = await asyncio.wait(busy, timeout=grace.left_until(CUT_SECONDS))
        for loop in busy:
            loop.cancel()
        await asyncio.wait(self._loops)

    async def _follow(self, task: ScheduledTask) -> None:
        step = self._step(task)
        waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while not self._runs.stopping.is_set():
            try:
                await step()
            except (Unavailable, CommandError) as error:
                self._trouble(task, error)
            except Exception:
                self._logger.exception(
                    "The schedule of a background task failed; it will be tried again.", task=task.name
                )
            else:
                self._recovered(task)
                waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
                continue
            await self._runs.nap(next(waits))

    def _step(self, task: ScheduledTask) -> Callable[[], Awaitable[None]]:
        if task.scope == "replica":
            return _LocalTask(task, self._runs).step
        record = TaskRecord(
            self._link, service=self._service, task=task.name, instance=self._instance, lease=self._lease
        )
        renew_every = self._lease / 3
        return _SharedTask(task, record, self._runs, self._logger, renew_every=renew_every, cancels=self._cancels).step

    def _trouble(self, task: ScheduledTask, error: Exception) -> None:
        if not self._waiting:
            self._logger.warning("Background tasks wait for the server.", reason=str(error))
        self._waiting.add(task.name)

    def _recovered(self, task: ScheduledTask) -> None:
        if task.name in self._waiting:
            self._waiting.remove(task.name)
            if not self._waiting:
                self._logger.info("Background tasks continue.")


class _Runs:
    """The runs in progress in this process."""

    def __init__(self, logger: Logger) -> None:
        self.stopping = asyncio.Event()
        self._logger = logger
        self.running: set[asyncio.Task[None]] = set()

    async def nap(self, seconds: float) -> None:
        """Sleep, but not for long, and wake at once when the scheduler stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_NAP)):
                await self.stopping.wait()

    def start(self, task: ScheduledTask, fence: Fence | None = None) -> asyncio.Task[None]:
        """Start a run."""
        run = asyncio.create_task(self._guarded(task, fence), name=f"background {task.name}")
        self.running.add(run)
        run.add_done_callback(self.running.discard)
        return run

    async def _guarded(self, task: ScheduledTask, fence: Fence | None) -> None:
        try:
            await task.run(fence)
        except Exception:
            self._logger.exception("A background task failed; its schedule continues.", task=task.name)


class _LocalTask:
    """A task that each replica runs for itself, by its own clock."""

    def __init__(self, task: ScheduledTask, runs: _Runs) -> None:
        self._task = task
        self._runs = runs
        self._last = _now_ms()

    async def step(self) -> None:
        """Wait, or run once."""
        now = _now_ms()
        self._last = min(self._last, self._task.schedule.latest_start(now))
        due = self._task.schedule.next_after(self._last)
        if now < due:
            await self._runs.nap((due - now) / 1000)
            return
        self._last = now
        self._task.delayed((now - due) / 1000)
        await asyncio.wait({self._runs.start(self._task)})


class _SharedTask:
    """A task that the replicas of a service share."""

    def __init__(
        self,
        task: ScheduledTask,
        record: TaskRecord,
        runs: _Runs,
        logger: Logger,
        *,
        renew_every: float,
        cancels: bool,
    ) -> None:
        self._task = task
        self._record = record
        self._runs = runs
        self._logger = logger
        self._renew_every = renew_every
        self._cancels = cancels
        self._last = 0
        self._due = 0
        self._latest = sys.maxsize  # nothing is known of the server's clock yet
        self._watch: tuple[int, float] = (0, 0.0)  # the end of another's lease, and since when we have seen it
        self._watch_for: float = renew_every

    async def step(self) -> None:
        """Ask once; then wait, or run if the task was claimed."""
        asked, before, due = time.monotonic(), self._last, self._due
        lease_end, since = self._watch
        # While the server was away, an owner could not renew: it gets some time in which we see the server and it may.
        self._watch = (0, 0.0)
        watched = lease_end if asked - since >= self._watch_for else 0
        state = await self._record.ask(self._last, self._due, watched, self._latest)
        if state.lost:
            self._logger.warning("record of a background task was lost and is made again", task=self._task.name)
        self._latest = self._task.schedule.latest_start(state.now)
        self._last, self._due = state.last, self._task.schedule.next_after(min(state.last, self._latest))
        if state.won and self._runs.stopping.is_set():
            await self._record.release(before, state.fence)
        elif state.won:
            if due:
                self._task.delayed(max(0, state.now - due) / 1000)
            await self._run(state.last, state.fence, asked)
        elif state.now < self._due:
            await self._runs.nap((self._due - state.now) / 1000 + self._record.jitter)
        elif state.held_until:
            self._watch = (lease_end, since) if state.held_until == lease_end else (state.held_until, asked)
            self._watch_for = state.held_for / 3000  # as often as the owner renews
            left = (state.held_until - state.now) / 1000
            await self._runs.nap((min(left, self._watch_for) if left > 0 else self._watch_for) + self._record.jitter)

    async def _run(self, started: int, drawn: int, asked: float) -> None:
        # A process that was frozen since it asked may have lost the task again.
        if time.monotonic() - asked > self._renew_every and await self._renew(started, drawn) is None:
            return
        run = self._runs.start(self._task, Fence(drawn_fence(drawn)))
        wait: float | None = self._renew_every
        while not run.done():
            await asyncio.wait({run}, timeout=wait)
            if wait is None or run.done():
                continue
            wait = await self._renew(started, drawn)
            if wait is None:
                about = {"task": self._task.name, "cancelled": self._cancels}
                self._logger.warning("A background task was taken over by another replica.", **about)
                if self._cancels:
                    run.cancel()
        with suppress(Unavailable):
            await self._record.release(self._last, drawn)

    async def _renew(self, started: int, drawn: int) -> float | None:
        """Seconds until the next renewal; None if another replica has the task."""
        try:
            return self._renew_every if await self._record.renew(started, drawn) else None
        except (Unavailable, CommandError):
            return min(self._renew_every / 2, 1.0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
