"""A service and a caller of it on a server that breaks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import msgspec
import pytest
from tests.support import open_bus, until

from daebus import Action, Bus, Channel, Daebus, Settings
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.errors import NoSuchService, ServiceError, Timeout, Unavailable
from daebus.testing import running

__all__ = ["World", "open_world", "told"]


class Event(msgspec.Struct):
    number: int


ECHO = Action[int, int]("echo", service="faulty")
NOTE = Action[int, None]("note", service="faulty")
LIVE = Channel[Event]("faulty_live")
KEPT = Channel[Event]("faulty_kept", durable=True)
MANY = Channel[Event]("faulty_many", durable=True)


class World:
    """What goes on on the server: a service that answers, queues and listens, and a caller.

    Attributes:
        bus: The caller's.
        seen: What the service was given, by kind.
        gate: What queued work waits for; open at first.
    """

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.gate = asyncio.Event()
        self.gate.set()
        self.seen: dict[str, list[int]] = {"note": [], "live": [], "kept": [], "many": []}

    async def works(self, number: int) -> None:
        """Everything works. Raises `ServiceError` and `TimeoutError` where it does not."""
        assert await self.bus.call(ECHO, number, timeout=2) == number
        await self.bus.send(NOTE, number)
        await self.bus.publish(LIVE, Event(number))
        await self.bus.publish(KEPT, Event(number))
        await self.bus.publish(MANY, Event(number))
        await until(lambda: all(number in numbers for numbers in self.seen.values()), 0.5)

    async def fails(self, *, timeout: float = 0.3) -> ServiceError:
        """A call fails, in its own time or at once, and says that the server is not there."""
        began = time.monotonic()
        with pytest.raises((Unavailable, Timeout)) as caught:
            await self.bus.call(ECHO, 0, timeout=timeout)
        assert time.monotonic() - began < timeout + 1
        return caught.value

    async def comes_back(self) -> float:
        """Seconds until a call is answered again, and everything else works too."""
        began = time.monotonic()
        while True:
            try:
                await self.bus.call(ECHO, 1, timeout=2)
                break
            except (Unavailable, Timeout, NoSuchService):
                assert time.monotonic() - began < 15, "the service did not come back"
                await asyncio.sleep(0.01)
        answered = time.monotonic() - began
        number = int(began * 1000)
        async with asyncio.timeout(10):
            while True:  # pub/sub may need a moment longer
                try:
                    await self.works(number)
                except (Unavailable, TimeoutError):
                    number += 1
                else:
                    return answered


@asynccontextmanager
async def open_world(
    url: str, *, caller_url: str | None = None, lease: float = 6.0, timings: Timings = DEFAULT_TIMINGS
) -> AsyncGenerator[World]:
    """A world on the server at `url`."""
    app = Daebus("faulty", settings=Settings(lease=lease))
    async with open_bus(caller_url or url, timings) as bus:
        world = World(bus)

        @app.action(ECHO)
        async def echo(number: int) -> int:
            return number

        @app.action(NOTE)
        async def note(number: int) -> None:
            await world.gate.wait()
            world.seen["note"].append(number)

        @app.listen(LIVE)
        async def on_live(event: Event) -> None:
            world.seen["live"].append(event.number)

        @app.listen(KEPT)
        async def on_kept(event: Event) -> None:
            world.seen["kept"].append(event.number)

        @app.listen(MANY, name="one")  # with a third listener, the second and the third share a connection
        async def on_many(_: Event) -> None: ...

        @app.listen(MANY, name="two")
        async def on_many_too(event: Event) -> None:
            world.seen["many"].append(event.number)

        async with running(app, redis_url=url, timings=timings):
            await world.works(-1)
            yield world


@contextmanager
def told() -> Generator[list[str]]:
    """What the log is told of from warnings on, one text for each line; a stack trace is a failure."""
    texts: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(record.getMessage())
            if record.exc_info:
                texts.append("TRACEBACK")

    handler = Listening(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield texts
    finally:
        logging.getLogger().removeHandler(handler)
