"""Background tasks: run by their schedule, on one replica at a time or on each. Runs of a task never overlap."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from daebus.connection.link import Link
from daebus.connection.resp import CommandError
from daebus.core.pauses import pauses
from daebus.delivery.grace import CUT_SECONDS, Grace
from daebus.errors import Unavailable
from daebus.queues.lapses import OnLapse
from daebus.telemetry.logs import Logger

from .planning import Planner
from .records import TaskRecord
from .runs import Alarm, Runs, ScheduledTask
from .shared import SharedTask

__all__ = ["ScheduledTask", "Scheduler"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


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
        self._runs = Runs(logger)
        self._loops: list[asyncio.Task[None]] = []
        self._alarms: dict[str, Alarm] = {}
        self._waiting: set[str] = set()

    async def start(self, tasks: Sequence[ScheduledTask]) -> None:
        """Start to follow the schedules of `tasks`."""
        for task in tasks:
            self._loops.append(asyncio.create_task(self._follow(task), name=f"schedule of {task.name}"))

    def wake(self, task: str | None = None) -> None:
        """Ask the server about a task now, or about all of them."""
        for name, alarm in self._alarms.items():
            if task in (None, name):
                alarm.ring()

    async def stop(self, grace: Grace) -> None:
        """Start no more runs, and wait for those in progress."""
        self._runs.stopping = True
        self.wake()
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
        alarm = self._alarms[task.name] = Alarm()
        step = self._step(task, alarm)
        waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while not self._runs.stopping:
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
            await alarm.nap(next(waits))

    def _step(self, task: ScheduledTask, alarm: Alarm) -> Callable[[], Awaitable[None]]:
        if task.scope == "replica":
            return _LocalTask(task, self._runs, alarm, self._instance).step
        record = TaskRecord(
            self._link,
            service=self._service,
            task=task.name,
            instance=self._instance,
            lease=self._lease,
            pause_after=task.policy.pause_after,
            history=task.policy.history,
        )
        every, cancels = self._lease / 3, self._cancels
        return SharedTask(task, record, self._runs, alarm, self._logger, renew_every=every, cancels=cancels).step

    def _trouble(self, task: ScheduledTask, error: Exception) -> None:
        if not self._waiting:
            self._logger.warning("Background tasks wait for the server.", reason=str(error))
        self._waiting.add(task.name)

    def _recovered(self, task: ScheduledTask) -> None:
        if task.name in self._waiting:
            self._waiting.remove(task.name)
            if not self._waiting:
                self._logger.info("Background tasks continue.")


class _LocalTask:
    """A task that each replica runs for itself, by its own clock."""

    def __init__(self, task: ScheduledTask, runs: Runs, alarm: Alarm, instance: str) -> None:
        self._task = task
        self._planner = Planner(f"{instance} {task.name}", task.schedule, jitter=task.policy.jitter)
        self._runs = runs
        self._alarm = alarm
        self._last = _now_ms()

    async def step(self) -> None:
        """Wait, or run once."""
        now = _now_ms()
        self._last = min(self._last, self._task.schedule.latest_start(now))
        due = self._planner.plan(self._last, 0, now).due
        if now < due:
            await self._alarm.nap((due - now) / 1000)
            return
        self._last = now
        self._task.delayed((now - due) / 1000)
        await asyncio.wait({self._runs.start(self._task)})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
