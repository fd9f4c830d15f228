"""The state of the fleet, read at a bounded rate, once for all pages that show it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import ServiceError
from daebus.operations.fleet import ServiceReport, service_reports
from daebus.operations.rates import HandlerRate, InstanceRate, handler_rates, instance_rates
from daebus.telemetry.logs import Logger

__all__ = ["FleetFeed", "Snapshot"]

INTERVAL = 0.4
"""Seconds from one reading of the fleet to the next."""

_PATIENCE = 0.5
"""Seconds for which answers of instances are waited for; a page must show the truth within a second."""

_WINDOW_MS = 2_000
"""The time over which rates and percentiles are taken."""

_PAUSE_AFTER_FAILURE = 1.0


class Snapshot(msgspec.Struct, frozen=True):
    """The fleet at a time.

    Attributes:
        at: The time, in ms of the server's clock.
        reports: The services.
        instances: Their instances, with rates.
        handlers: Their handlers, with rates.
        problem: Why it could not be read; None: it was. Then the rest is as it was before.
    """

    at: int
    reports: Sequence[ServiceReport]
    instances: Sequence[InstanceRate]
    handlers: Sequence[HandlerRate]
    problem: str | None = None


Render = Callable[[Snapshot], bytes]


class FleetFeed:
    """Reads the fleet while somebody looks at it.

    All who look at the same view get the same bytes, which are made once. Who is slow misses states, and never has a
    backlog.

    Args:
        node: This process.
        logger: The log.

    Attributes:
        number: How many states there were.
    """

    def __init__(self, node: Node, logger: Logger) -> None:
        self._node = node
        self._logger = logger
        self._past: deque[tuple[int, Sequence[ServiceReport]]] = deque()
        self._now = Snapshot(node.clock.now(), (), (), ())
        self.number: int = 0
        self._views: dict[str, bytes] = {}
        self._turn = asyncio.Event()
        self._wanted = asyncio.Event()
        self._followers = 0
        self._is_closed = False

    async def follow(self, name: str, render: Render) -> AsyncGenerator[bytes]:
        """A view of the newest state, again and again, until the feed is closed.

        Args:
            name: The name of the view.
            render: Makes it.
        """
        self._followers += 1
        self._wanted.set()
        seen = 0
        try:
            while not self._is_closed:
                turn = self._turn
                if self.number > seen:
                    seen = self.number
                    yield self._view(name, render)
                    continue
                await turn.wait()
        finally:
            self._followers -= 1
            if not self._followers:
                self._wanted.clear()
                self._past.clear()

    async def run(self) -> None:
        """Read the fleet while somebody looks, until this is cancelled."""
        while True:
            await self._wanted.wait()
            begun = time.monotonic()
            pause = INTERVAL if await self._read() else _PAUSE_AFTER_FAILURE
            await asyncio.sleep(max(INTERVAL / 4, pause - (time.monotonic() - begun)))

    def close(self) -> None:
        """End all views."""
        self._is_closed = True
        self._turn.set()

    def _view(self, name: str, render: Render) -> bytes:
        found = self._views.get(name)
        if found is None:
            found = self._views[name] = render(self._now)
        return found

    async def _read(self) -> bool:
        node = self._node
        try:
            reports = await service_reports(node, patience=_PATIENCE)
        except (ServiceError, CommandError) as error:  # an outage ends
            self._logger.debug("the fleet could not be read", reason=str(error))
            self._show(msgspec.structs.replace(self._now, problem=str(error)))
            return False
        now = node.clock.now()
        while len(self._past) > 1 and now - self._past[1][0] >= _WINDOW_MS:
            self._past.popleft()
        before = self._past[0][1] if self._past else reports
        self._past.append((now, reports))
        self._show(Snapshot(now, reports, list(instance_rates(before, reports)), list(handler_rates(before, reports))))
        return True

    def _show(self, state: Snapshot) -> None:
        self._now, self._views = state, {}
        self.number += 1
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
