"""Readiness: the state of a service, and the checks that must succeed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from daebus.errors import DaebusError
from daebus.protocol.discovery import CheckResult, State
from daebus.telemetry.logs import Logger

__all__ = ["CHECK_SECONDS", "Check", "Health", "HealthReport", "Status"]

Status: TypeAlias = Literal["starting", "ready", "unready", "stopping"]

CHECK_SECONDS = 0.8
"""How long a check may take, in seconds: Kubernetes waits 1 s for an answer by default."""

_FRESH_SECONDS = 1.0
"""How long results are used again, so that questions cost nothing, however many there are."""


class HealthReport(msgspec.Struct, frozen=True):
    """Whether a process is ready.

    Attributes:
        status: ``ready``; ``unready``, if a check fails; ``starting`` or ``stopping``.
        checks: The results of the checks; empty while it starts or stops.
    """

    status: Status
    checks: Sequence[CheckResult]


class Check:
    """One check: it succeeds if it returns, and fails if it raises an exception, or takes longer than `CHECK_SECONDS`.

    Args:
        name: Its name in answers and in the log.
        run: Runs it.
        may_cancel: Whether it is cancelled when it takes too long; otherwise, as in a thread, it continues, and is not
            started again until it has ended.

    Attributes:
        cause: Why it has failed, for the log; None: it has succeeded.
    """

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], *, may_cancel: bool = True) -> None:
        self._name = name
        self._run = run
        self._may_cancel = may_cancel
        self._task: asyncio.Task[None] | None = None
        self.cause: str | None = None

    async def result(self) -> CheckResult:
        """Run it, or wait for the run that has not ended yet."""
        begun = time.perf_counter()
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.create_task(_awaited(self._run), name=f"health check {self._name}")
            task.add_done_callback(_retrieved)
        await asyncio.wait({task}, timeout=CHECK_SECONDS)
        self.cause, reason = self._outcome(task)
        return CheckResult(self._name, reason is None, reason, round(time.perf_counter() - begun, 6))

    def stop(self) -> None:
        """Cancel it if it runs."""
        if self._task is not None:
            self._task.cancel()

    def _outcome(self, task: asyncio.Task[None]) -> tuple[str | None, str | None]:
        """Why it has failed, for the log and for others; None: it has succeeded."""
        if not task.done():
            if self._may_cancel:
                task.cancel()
            late = f"no answer within {CHECK_SECONDS:g} s"
            return late, late
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            return "it was cancelled", "it was cancelled"
        if error is None or isinstance(error, DaebusError):
            told = None if error is None else str(error)
            return told, told
        # Its message may have what others must not know, such as the password for a database.
        name = type(error).__name__
        return f"{name}: {error}", f"{name}, see the log of the service"


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # asyncio logs exceptions that are never retrieved


class Health:
    """The health of this process.

    Args:
        logger: Logs when the process becomes unready, and ready again.

    Attributes:
        state: Whether the service is ``starting``, ``running`` or ``stopping``.
    """

    def __init__(self, logger: Logger) -> None:
        self.state: State = "starting"
        self._logger = logger
        self._checks: Sequence[Check] = ()
        self._results: Sequence[CheckResult] = ()
        self._checked = float("-inf")
        self._checking = asyncio.Lock()

    def run(self, checks: Sequence[Check]) -> None:
        """The service runs: from now on it is ready if these checks succeed."""
        self.state, self._checks = "running", checks

    def stop(self) -> None:
        """The service stops: it is no longer ready."""
        self.state = "stopping"
        for check in self._checks:
            check.stop()

    async def report(self) -> HealthReport:
        """Whether the process is ready. The checks run side by side, at most once a second."""
        if self.state != "running":
            return HealthReport(self.state, ())
        async with self._checking:
            if time.monotonic() - self._checked > _FRESH_SECONDS:
                results = await asyncio.gather(*(check.result() for check in self._checks))
                self._tell(results)
                self._results, self._checked = results, time.monotonic()
        if self.state != "running":
            return HealthReport(self.state, ())
        return HealthReport("ready" if all(one.ok for one in self._results) else "unready", self._results)

    def _tell(self, results: Sequence[CheckResult]) -> None:
        """Log the checks whose outcome has changed."""
        failed = {one.name for one in self._results if not one.ok}
        for check, one in zip(self._checks, results, strict=True):
            if not one.ok and one.name not in failed:
                self._logger.warning("service is not ready: a health check fails", check=one.name, reason=check.cause)
            elif one.ok and one.name in failed:
                self._logger.info("health check succeeds again", check=one.name)
