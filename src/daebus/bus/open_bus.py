"""`OpenBus`: how a bus connects to its server, and disconnects."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from daebus.core.affinity import LoopOnly
from daebus.core.forks import Home
from daebus.errors import ConfigurationError

if TYPE_CHECKING:
    from daebus.protocol.limits import BusLimits

    from .caller import Caller

__all__ = ["DEFAULT_TIMEOUT", "MAX_QUEUED", "OpenBus"]

DEFAULT_TIMEOUT = 15.0
"""Default timeout of a call in seconds.

If the instance of a call is killed, another one runs the call again. With the default lease (6 s, checked every 2 s) it
starts after at most 8 s, so a handler that takes up to 3 s has time to answer. Each remaining instance starts several
such calls one after another. All of them are answered if there are no more of them than instances.
"""

MAX_QUEUED = 100_000
"""Unhandled requests of one action that `Bus.send` queues at most by default."""


class OpenBus(LoopOnly):
    """A bus that is opened and closed: ``async with``.

    Args:
        url: URL of the server; None: the environment's, else the project's embedded engine.
        limits: How large a payload may be.
        legacy: Whether services with the wire format of daebus 0.0.31 are called too; None: as the environment says.
        checks: Whether outdated contracts are logged.
    """

    def __init__(self, url: str | None, limits: BusLimits, *, legacy: bool | None, checks: bool = False) -> None:
        self._url = url
        self._limits = limits
        self._legacy = legacy
        self._checks = checks
        self._caller: Caller | None = None
        self._home = Home()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        from .opening import open_caller  # noqa: PLC0415  # it loads redis-py, without which an app is defined

        self._home, self._stack = Home(), AsyncExitStack()
        opening = open_caller(self._url, self._limits, legacy=self._legacy, check_contracts=self._checks)
        self._caller = await self._stack.enter_async_context(opening)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._caller = None
        if self._home.is_here:  # what was opened before a fork is closed where it was opened
            await self._stack.aclose()

    @property
    def _open(self) -> Caller:
        if self._caller is None:
            raise ConfigurationError("The bus is not open: use `async with Bus(url) as bus:`, or an injected bus.")
        if not self._home.is_here:
            self._home.require()
        return self._caller
