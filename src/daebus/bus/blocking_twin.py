"""The blocking twin of the bus of a service."""

from __future__ import annotations

import asyncio

from daebus.core.loop_thread import LoopThread

from .blocking import BlockingBus
from .bus import Bus

__all__ = ["BlockingTwin"]


class BlockingTwin(BlockingBus):
    """The blocking twin of a bus that is open in another thread's loop."""

    def __init__(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._bus = bus
        self._loop = LoopThread(loop)
