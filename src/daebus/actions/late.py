"""Late requests: dropped before they ran, or cancelled. If there are many, only some are logged."""

from __future__ import annotations

from daebus.protocol.messages import Request
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

__all__ = ["LateRequests"]


class LateRequests:
    """Logs the late requests of one service: of equal ones the 1st, 2nd, 4th, …, and one a minute.

    Args:
        logger: The log.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._tallies: dict[tuple[str, str], Tally] = {}

    def dropped(self, request: Request, action: str, handler: str, late: float) -> None:
        """Log that a request was not run because its deadline had passed some seconds before."""
        event = "request dropped: its deadline passed before it was run"
        self._tell(event, action, request, handler=handler, late_seconds=round(late, 3))

    def cancelled(self, request: Request, action: str, handler: str, seconds: float) -> None:
        """Log that a handler was cancelled after some seconds, by its caller's deadline or its own timeout."""
        self._tell("handler cancelled: its time was over", action, request, handler=handler, seconds=round(seconds, 3))

    def _tell(self, event: str, action: str, request: Request, **about: object) -> None:
        tally = self._tallies.setdefault((event, action), Tally(reminds=True))
        if not tally.add():
            return
        if tally.count > 1:
            about["times"] = tally.count
        self._logger.warning(event, action=action, request_id=request.trace_id or request.request_id, **about)
