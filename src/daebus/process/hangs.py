"""What a service does if its event loop hangs: others take over its work, and its process exits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from daebus.delivery.standing import Standing
from daebus.telemetry.logs import Logger

__all__ = ["ExitHung", "Hangs", "Heartbeat"]

ExitHung = Callable[[Standing, float], None]
"""Ends the process, given where its event loop stands, and for how many seconds."""


class Heartbeat(Protocol):
    """The heartbeat of a service, which can be paused.

    Attributes:
        is_paused: Whether it sends nothing.
    """

    is_paused: bool


class Hangs:
    """Ends the heartbeats of a service while its event loop hangs, and its process if that may be ended.

    Args:
        heartbeat: The heartbeat of the service.
        logger: For what hangs.
        exit_hung: Ends the process; None: it belongs to another program, or its parent ends it.
    """

    def __init__(self, heartbeat: Heartbeat, logger: Logger, exit_hung: Callable[[], ExitHung | None]) -> None:
        self._heartbeat = heartbeat
        self._logger = logger
        self._exit_hung = exit_hung

    def hung(self, standing: Standing, seconds: float) -> None:
        """Stop the heartbeats, so that others take over; then exit. At the prompt of a debugger nothing is ended."""
        self._heartbeat.is_paused = True  # first, as the log may be blocked too
        exit_hung = self._exit_hung()
        if exit_hung is not None and not standing.is_debugged:
            exit_hung(standing, seconds)
        self._logger.critical(
            "event loop hangs: no more heartbeats, so that other instances take over its work",
            seconds=round(seconds, 1),
            handler=standing.handler,
            at=standing.at,
            stack=standing.stack,
        )

    def goes_on(self) -> None:
        """Send heartbeats again."""
        self._heartbeat.is_paused = False
