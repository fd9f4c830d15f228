"""Requests that are late: dropped before they were run, or cancelled. Of many the log is told at times only."""

from __future__ import annotations

from daebus.protocol.messages import Request
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

__all__ = ["LateRequests"]


class LateRequests:
    """What the log is told of the late requests of one service: of those alike the 1st, 2nd, 4th, …, and one a minute.

    Args:
        logger: The log.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._tallies: dict[tuple[str, str], Tally] = {}

    def dropped(self, request: Request, action: str, handler: str, late: float) -> None:
        """A request was not run, as its deadline had passed some seconds before."""
        event = "request dropped: its deadline passed before it was run"
        self._tell(event, action, request, handler=handler, late_seconds=round(late, 3))

    def cancelled(self, request: Request, action: str, handler: str, seconds: float) -> None:
        """A handler was cancelled after some seconds, as its caller's deadline or its own timeout had passed."""
        self._tell("handler cancelled: its time was over", action, request, handler=handler, seconds=round(seconds, 3))

    def _tell(self, event: str, action: str, request: Request, **about: object) -> None:
        tally = self._tallies.setdefault((event, action), Tally(reminds=True))
        if not tally.add():
            return
        if tally.count > 1:
            about["times"] = tally.count
        self._logger.warning(event, action=action, request_id=request.trace_id or request.request_id, **about)
