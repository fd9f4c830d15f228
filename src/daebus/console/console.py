"""`Console`: what the page works with while it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus.bus.bus import Bus
from daebus.connection.node import Node
from daebus.errors import Unavailable
from daebus.telemetry.logs import Logger

from .access import Access
from .feed import FleetFeed
from .history import History

__all__ = ["Console", "Desk"]


class Desk:
    """What an open console works with.

    Args:
        node: This process.
        bus: Calls services.
        logger: The log.

    Attributes:
        feed: The state of the fleet.
        history: The last hours of its services.
        is_closed: Whether the console is closing, and streams to pages have to end.
    """

    def __init__(self, node: Node, bus: Bus, logger: Logger) -> None:
        self.node: Node = node
        self.bus: Bus = bus
        self.feed: FleetFeed = FleetFeed(node, logger)
        self.history: History = History(node, logger)
        self.is_closed: bool = False

    def close(self) -> None:
        """End all streams to pages."""
        self.is_closed = True
        self.feed.close()


class Console:
    """A console, whose routes may be served before it is open.

    Args:
        access: Who may use it.
        wiring: The description of a checked app, as JSON, like that of `daebus check --json`; None: there is none.
    """

    def __init__(self, access: Access, wiring: bytes | None = None) -> None:
        self.access: Access = access
        self.wiring: bytes | None = wiring
        self._desk: Desk | None = None

    @property
    def desk(self) -> Desk:
        """What it works with. Raises `Unavailable` if it is not open."""
        if self._desk is None:
            raise Unavailable("The console is not open: its service does not run")
        return self._desk

    @asynccontextmanager
    async def opened(self, node: Node, bus: Bus, logger: Logger) -> AsyncGenerator[Desk]:
        """Answer requests inside of the block."""
        self._desk = desk = Desk(node, bus, logger)
        running = {
            asyncio.create_task(desk.feed.run(), name="console: fleet"),
            asyncio.create_task(desk.history.run(), name="console: history"),
        }
        try:
            yield desk
        finally:
            desk.close()
            self._desk = None
            for task in running:
                task.cancel()
            await asyncio.wait(running)
