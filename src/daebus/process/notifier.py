"""The notifications of systemd: ``Type=notify`` and ``WatchdogSec=`` of a unit; see sd_notify(3)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

__all__ = ["Notifier"]

_SOCKET, _WATCHDOG, _WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_MARGIN = 3
"""How often the watchdog is reset within its time: one that is late must not end the process."""


class Notifier:
    """Tells systemd what this process does; does nothing where systemd does not ask for it.

    Args:
        environment: The environment of the process.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get(_SOCKET, "")
        self._interval = _interval(environment) if self._address else None

    @asynccontextmanager
    async def serving(self, status: str) -> AsyncGenerator[None]:
        """The service serves inside of the block; meanwhile, the event loop resets the watchdog.

        Args:
            status: One line for ``systemctl status``.
        """
        self._send("READY=1", f"STATUS={status}")
        beating = None if self._interval is None else asyncio.create_task(self._beat(self._interval), name="watchdog")
        try:
            yield
        finally:
            if beating is not None:
                beating.cancel()

    def stopping(self) -> None:
        """The service has begun to stop."""
        self._send("STOPPING=1", "STATUS=stopping")

    async def _beat(self, interval: float) -> None:
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(interval)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is one of the abstract namespace of Linux.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)  # systemd does not answer, and must not be waited for
            sender.sendto("\n".join(lines).encode(), address)


def _interval(environment: Mapping[str, str]) -> float | None:
    """Seconds between two resets of the watchdog; None: there is none, or it is meant for another process."""
    given, pid = environment.get(_WATCHDOG, ""), environment.get(_WATCHDOG_PID, str(os.getpid()))
    if not given.isdecimal() or int(given) == 0 or pid != str(os.getpid()):
        return None
    return int(given) / 1_000_000 / _MARGIN
