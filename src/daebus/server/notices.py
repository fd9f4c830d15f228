"""Lines of the log about clients that are disconnected: an attacker must not fill the log."""

from __future__ import annotations

import time

from daebus.telemetry.logs import Logger

from .own_sockets import Address

__all__ = ["Notices"]

_SECONDS = 10.0


class Notices:
    """Tells of each kind of thing at most every 10 s, and then how often it happened in between.

    Args:
        logger: Where it is told.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._told: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def tell(self, event: str, reason: str, client: Address | None) -> None:
        """A client was disconnected."""
        kind, now = (event, reason), time.monotonic()
        if now - self._told.get(kind, -_SECONDS) < _SECONDS:
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._told[kind] = now
        where = "unknown" if client is None else f"{client[0]}:{client[1]}"
        self._logger.warning(event, client=where, reason=reason, others_before=self._untold.pop(kind, 0))
