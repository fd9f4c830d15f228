"""The servers under test, behind the proxy: one, or a cluster, with a clock that can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tests.engines import Engine, free_port

from .proxies import Proxies

__all__ = ["FAKETIME", "Clock", "Servers", "Single"]

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""From Debian's package `libfaketime`."""

_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Clock:
    """A clock for servers, which can be set.

    Args:
        folder: For the file that the servers read it from.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.step(0)

    @property
    def can_be_set(self) -> bool:
        """Whether this machine has the library for it."""
        return FAKETIME.exists()

    @property
    def environment(self) -> dict[str, str]:
        """For the servers."""
        if not self.can_be_set:
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: float) -> None:
        """Set it to so many seconds after the true time."""
        changed = self._file.with_suffix(".new")
        changed.write_text(f"{seconds:+.3f}\n")
        changed.replace(self._file)


class Servers(Protocol):
    """What daebus runs on.

    Attributes:
        url: For daebus, through the proxy.
        direct_url: For the observer, beside it.
        engines: The servers that hold data.
        clock: Their clock.
    """

    url: str
    direct_url: str
    engines: list[Engine]
    clock: Clock

    async def start(self, proxies: Proxies) -> None:
        """Start them, and have the proxy stand before them."""
        ...

    def stop(self) -> None:
        """Kill them."""
        ...


class Single:
    """One server, which keeps what it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder)
        engine = Engine(folder / "server", *_DURABLE, environment=self.clock.environment)
        self.engines = [engine]
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.direct_url = engine.tcp_url

    async def start(self, proxies: Proxies) -> None:
        """Start it, and have the proxy stand before it."""
        self.engines[0].start()
        await proxies.serve(self._port, self.engines[0].port)

    def stop(self) -> None:
        """Kill it."""
        self.engines[0].kill()
