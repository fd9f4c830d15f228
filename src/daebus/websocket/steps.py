"""The end of a WebSocket connection: its steps, of which none keeps the next one from running, and limits of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from daebus.telemetry.logs import Logger

__all__ = ["Limit", "Steps", "go_on"]


def go_on() -> None:
    """Continue although this task was cancelled: only the step that was running had to end."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


class Steps:
    """The steps of one connection.

    Args:
        client_id: The id of its client, for the log.
        logger: The log.

    Attributes:
        limit: Seconds for each handler that runs at the end; None: no limit.
    """

    def __init__(self, client_id: str, logger: Logger) -> None:
        self.limit: float | None = None
        self._client_id = client_id
        self._logger = logger

    async def attempt(self, work: Awaitable[object], seconds: float | None) -> None:
        """Run one step and ignore its failure; a cancellation of the task and the time limit end only this step."""
        try:
            async with asyncio.timeout(seconds):
                await work
        except asyncio.CancelledError:
            go_on()
        except Exception as error:
            self._logger.debug(
                "a step of closing a WebSocket connection failed", client=self._client_id, exc_info=error
            )


class Limit:
    """A limit of time, which begins once.

    Args:
        seconds: The time.
        call: What is called at its end.
    """

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin, unless it has begun."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._call)

    def end(self) -> None:
        """Call nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
