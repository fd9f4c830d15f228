"""A task of a service, the runs in progress in this process, and naps that end early."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import msgspec

from daebus.declare.schedules import Run, Schedule, TaskPolicy
from daebus.telemetry.logs import Logger

from .records import End

__all__ = ["Alarm", "Runs", "ScheduledTask"]

_LONGEST_NAP = 30.0
_LONGEST_REASON = 500


def _ignore(_: float) -> None: ...


class ScheduledTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a service.

    Attributes:
        name: Its name, unique in the service.
        schedule: When it is due.
        scope: ``service``: on one replica at a time; ``replica``: on each.
        run: Runs it once; None: each replica runs the task, so that there is no record of its runs. It returns why the
            run has failed; None: it has succeeded. Its errors are logged, and the schedule continues.
        delayed: Called at the start of a run with how many seconds later than due it starts, where that is known.
        policy: Its other options.
    """

    name: str
    schedule: Schedule
    scope: Literal["service", "replica"]
    run: Callable[[Run | None], Awaitable[object]]
    delayed: Callable[[float], object] = _ignore
    policy: TaskPolicy = TaskPolicy()


class Alarm:
    """Ends the naps of one task."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the nap, or the next one."""
        self._rung.set()

    async def nap(self, seconds: float) -> None:
        """Sleep, but not for long, and wake at once when the alarm rings."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_NAP)):
                await self._rung.wait()
        self._rung.clear()


class Runs:
    """The runs in progress in this process.

    Attributes:
        stopping: Whether no more runs are started.
        running: The runs.
    """

    def __init__(self, logger: Logger) -> None:
        self.stopping = False
        self._logger = logger
        self.running: set[asyncio.Task[End]] = set()

    def start(self, task: ScheduledTask, run: Run | None = None) -> asyncio.Task[End]:
        """Start a run."""
        running = asyncio.create_task(self._guarded(task, run), name=f"background {task.name}")
        self.running.add(running)
        running.add_done_callback(self.running.discard)
        return running

    async def _guarded(self, task: ScheduledTask, run: Run | None) -> End:
        try:
            failure = await task.run(run)
        except Exception as error:
            self._logger.exception("A background task failed; its schedule continues.", task=task.name)
            failure = f"{type(error).__name__}: {error}"
        return End("failed", failure[:_LONGEST_REASON]) if isinstance(failure, str) else End()
