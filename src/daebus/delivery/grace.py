"""The stop of a service: one deadline for all work in flight, and the cancellation of work that misses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Collection, Iterable
from typing import Any

from daebus.errors import Timeout
from daebus.telemetry.logs import Logger, make_logger

from .standing import Standing, standing_of_task

__all__ = ["CUT_SECONDS", "LIFECYCLE_SECONDS", "NOT_ENDED", "STOP_SECONDS", "Grace", "tell_overdue"]

NOT_ENDED = "service did not stop cleanly: some of its work has not ended"
"""The log message at the end of such a stop, instead of ``service stopped``."""

STOP_SECONDS = 5.0
"""Seconds that a stop may take beyond `Grace.seconds`, whatever the handlers do."""

# Limits in seconds after the deadline.
CUT_SECONDS = 1.5  # work that was cancelled at the deadline
_COMPONENT_SECONDS = 2.0  # components of the user
LIFECYCLE_SECONDS = 2.5  # on_stop handlers
_CLOSING_SECONDS = 3.0  # the resources of the container

_LEAST_COMPONENT_SECONDS = 1.0
"""What each component has after the deadline, so that one that hangs leaves time to the `on_stop` handlers."""

_LEAST_SECONDS = 0.1
"""Minimum seconds for each of these, however late it is: most need only one turn of the event loop."""

_MOST_TOLD = 10


class Grace:
    """The time limit for work in flight at the stop of a service. It begins once, when the stop is requested.

    Args:
        seconds: The time that work in flight may take before it is cancelled.
        logger: Logs tasks that do not end.

    Attributes:
        seconds: The time that work in flight may take.
        unended: Tasks that did not end after cancellation, and resources that did not close.
    """

    def __init__(self, seconds: float, logger: Logger | None = None) -> None:
        self.seconds = seconds
        self.unended: list[Standing] = []
        self._logger = logger or make_logger()
        self._deadline: float | None = None

    def begin(self, *, logs: bool = True) -> None:
        """Begin the stop, and log it unless the service has not started; does nothing if it has already begun."""
        if self._deadline is not None:
            return
        self._deadline = time.monotonic() + self.seconds
        if logs:
            about = {"seconds_for_work": self.seconds, "seconds_at_most": self.seconds + STOP_SECONDS}
            self._logger.info("service stopping", **about)

    def tell_end(self) -> None:
        """Log the end of the stop and its result."""
        if self.unended:
            unended = list(dict.fromkeys(map(str, self.unended)))
            self._logger.critical(NOT_ENDED, unended=unended[:_MOST_TOLD], number=len(self.unended))
        else:
            self._logger.info("service stopped")

    @property
    def left(self) -> float:
        """Seconds left for work in flight."""
        return self.seconds if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def left_until(self, seconds: float) -> float:
        """Seconds left until a time `seconds` after the deadline; at least a short minimum."""
        deadline = time.monotonic() + self.seconds if self._deadline is None else self._deadline
        return max(_LEAST_SECONDS, deadline + seconds - time.monotonic())

    @property
    def cut(self) -> float:
        """Seconds that cancelled work has to end after the deadline."""
        return self.left_until(CUT_SECONDS) - self.left

    async def end(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Wait for work in flight, cancel it at the deadline, and log and abandon tasks that still do not end."""
        late = await _wait(list(tasks), self.left)
        if late:
            handlers = [str(standing_of_task(task)) for task in list(late)[:_MOST_TOLD]]
            self._logger.warning("work cut off by the stop", number=len(late), handlers=handlers)
        for task in late:
            task.cancel()
        self.give_up(await _wait(late, self.left_until(CUT_SECONDS)))

    async def closed(self, closing: Awaitable[object], name: str, seconds: float) -> None:
        """Wait until something is closed, but at most until `seconds` after the deadline.

        Args:
            closing: The awaitable, which runs in a task of its own. Its exceptions are raised.
            name: Its name in the log.
            seconds: See `left_until`.

        Raises:
            Timeout: It did not end in time, and was cancelled.
        """
        task = asyncio.ensure_future(_awaited(closing))
        task.set_name(name)
        begun = time.monotonic()
        if late := await self._ended(task, self.left_until(seconds)):
            took = time.monotonic() - begun
            raise Timeout(f"{late} was cancelled after {took:.1f} s: it took longer than the stop allows")

    async def close_component(self, task: asyncio.Task[None]) -> Standing | None:
        """Wait until a component is closed: until the deadline, or for 1 s if that is later.

        Args:
            task: The task that closes it. Its exceptions are raised.

        Returns:
            Its position when it was cancelled, because the time was up; None: it ended in time.
        """
        seconds = max(self.left, _LEAST_COMPONENT_SECONDS)
        return await self._ended(task, min(seconds, self.left_until(_COMPONENT_SECONDS)))

    async def close_resource(self, closing: Awaitable[object], name: str) -> None:
        """Wait until a resource of the container is closed, with the time limit for resources."""
        await self.closed(closing, f"resource {name}", _CLOSING_SECONDS)

    def give_up(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """Abandon tasks that were cancelled and have not ended."""
        standings = [standing_of_task(task) for task in tasks]
        self.unended += standings
        for standing in standings[:_MOST_TOLD]:
            _tell_unended(standing, self._logger)
        if len(standings) > _MOST_TOLD:
            self._logger.error("more handlers do not end", number=len(standings) - _MOST_TOLD)

    async def _ended(self, task: asyncio.Task[None], seconds: float) -> Standing | None:
        """Wait this long for a task, then cancel it. Returns its position then; None: it ended in time."""
        late = await _wait([task], seconds)
        if not late:
            await task
            return None
        stood = standing_of_task(task)
        task.cancel()
        if await _wait(late, _LEAST_SECONDS):
            self.give_up(late)
        else:
            self.unended.append(stood)
        return stood


def tell_overdue(task: asyncio.Task[Any] | None, logger: Logger) -> None:
    """Log that a handler has not ended after it was cancelled, if it has not."""
    if task is not None and not task.done():
        _tell_unended(standing_of_task(task), logger)


def _tell_unended(standing: Standing, logger: Logger) -> None:
    logger.error(
        "handler does not end, although it was cancelled",
        handler=standing.handler or standing.name,
        at=standing.at,
        stack=standing.stack,
    )


async def _awaited(closing: Awaitable[object]) -> None:
    await closing


async def _wait(tasks: Collection[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Wait this many seconds; returns the tasks that have not ended."""
    if not tasks:
        return set()
    _, late = await asyncio.wait(tasks, timeout=seconds)
    return late
