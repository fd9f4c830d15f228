"""Rate-limited log lines about disconnected clients, so that an attacker cannot fill the log."""

from __future__ import annotations

import time

from daebus.telemetry.logs import Logger

from .own_sockets import Address

__all__ = ["Notices"]

_SECONDS = 10.0


class Notices:
    """Logs each kind of event at most every 10 s, with the number of events in between.

    Args:
        logger: The log.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._told: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def tell(self, event: str, reason: str, client: Address | None) -> None:
        """Log that a client was disconnected."""
        kind, now = (event, reason), time.monotonic()
        if now - self._told.get(kind, -_SECONDS) < _SECONDS:
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._told[kind] = now
        where = "unknown" if client is None else f"{client[0]}:{client[1]}"
        self._logger.warning(event, client=where, reason=reason, others_before=self._untold.pop(kind, 0))
