"""Load: what is sent while things break, and whether it was taken."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from tests.chaos.service import ASK, COUNT, EVENTS, WORK, Event

from daebus import Bus
from daebus.errors import ServiceError, Unavailable

__all__ = ["Asking", "Sending"]


class Sending:
    """Sends and publishes at a steady rate.

    Attributes:
        taken: The numbers that the server has taken, by kind: none of them may be lost.
        refused: How often it was not there to take one.
    """

    def __init__(self, bus: Bus, rate: float) -> None:
        self._bus = bus
        self._rate = rate
        self._numbers = itertools.count()
        self.taken: dict[str, set[int]] = {"send": set(), "event": set()}
        self.refused = 0
        self._stopped = False

    async def go_on(self, seconds: float) -> None:
        """Send for so long."""
        began, tasks = time.monotonic(), set[asyncio.Task[None]]()
        due = 0
        while (now := time.monotonic() - began) < seconds and not self._stopped:
            while due < now * self._rate:
                due += 1
                task = asyncio.create_task(self._send(next(self._numbers)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.005)
        if tasks:
            await asyncio.wait(tasks)

    def stop(self) -> None:
        """Send no more."""
        self._stopped = True

    async def _send(self, number: int) -> None:
        kind = "send" if number % 2 else "event"
        try:
            if kind == "send":
                await self._bus.send(WORK, number)
            else:
                await self._bus.publish(EVENTS, Event(number))
        except Unavailable:
            self.refused += 1
        else:
            self.taken[kind].add(number)

    @property
    def count(self) -> int:
        """How many were taken."""
        return sum(map(len, self.taken.values()))


class Asking:
    """Calls and streams, one after another in several tasks.

    Attributes:
        answered: How many were answered rightly.
        failed: What went wrong with the others.
    """

    def __init__(self, bus: Bus, *, at_once: int = 8) -> None:
        self._bus = bus
        self._at_once = at_once
        self.answered = 0
        self.failed: list[str] = []
        self._stopped = False

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True

    async def go_on(self, seconds: float) -> None:
        """Ask for so long."""
        until = time.monotonic() + seconds
        asks = [self._call, self._stream] * self._at_once
        await asyncio.gather(*(self._repeat(ask, until) for ask in asks))

    async def _repeat(self, ask: Callable[[], Awaitable[object]], until: float) -> None:
        while time.monotonic() < until and not self._stopped:
            try:
                await ask()
            except (ServiceError, AssertionError) as error:
                self.failed.append(repr(error))
            else:
                self.answered += 1

    async def _call(self) -> None:
        assert await self._bus.call(ASK, self.answered) is not None

    async def _stream(self) -> None:
        assert [item async for item in self._bus.stream(COUNT, 10)] == list(range(10))
