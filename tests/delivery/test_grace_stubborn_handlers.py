"""Handlers that swallow their cancellation: callers are answered, their places stay taken, and the log says so."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest
from tests.support import until

from daebus import Action, Bus, Channel, Daebus, DaebusHttp, DaebusWebSocket, Settings
from daebus.errors import Timeout
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

LIMITED = Action[None, str]("limited", service="stubborn")
UNLIMITED = Action[None, str]("unlimited", service="stubborn")
EVENTS = Channel[int]("stubborn_events", durable=True)
KINDS = {
    *("action limited", "action unlimited", "listen stubborn_events", "background tick", "route GET /page"),
    "socket say",
}


class Stubborn:
    """What the handlers do, until they are released.

    Attributes:
        begun: How often each has begun.
    """

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.released = asyncio.Event()

    async def wait(self, name: str) -> str:
        self.begun[name] = self.begun.get(name, 0) + 1
        while not self.released.is_set():
            with suppress(BaseException):
                await self.released.wait()
        return name


def app_of(stubborn: Stubborn) -> Daebus:
    app = Daebus("stubborn", settings=Settings(stop_timeout=0.1))
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.action(LIMITED, timeout=0.1, concurrency=1)
    async def limited() -> str:
        return await stubborn.wait("limited")

    @app.action(UNLIMITED, concurrency=1)
    async def unlimited() -> str:
        return await stubborn.wait("unlimited")

    @app.listen(EVENTS, timeout=0.1)
    async def heard(_: int) -> None:
        await stubborn.wait("heard")

    @app.background("tick", 0.1, timeout=0.1)
    async def tick() -> None:
        await stubborn.wait("tick")

    @app.route("/page", timeout=0.1)
    async def page() -> str:
        return await stubborn.wait("page")

    @app.socket("say", timeout=0.1)
    async def say() -> str:
        return await stubborn.wait("say")

    return app


async def test_handlers_that_swallow_their_cancellation_are_told_and_keep_their_places(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A second passes until they are told."""

    def told() -> list[str]:
        event = "handler does not end, although it was cancelled"
        return [line.split("handler=")[1].split("'")[1] for line in caplog.messages if line.startswith(event)]

    stubborn = Stubborn()
    async with running(app_of(stubborn)) as service, Bus(private_redis_url()) as bus, service.socket() as socket:
        began = time.monotonic()
        calls = [
            asyncio.create_task(bus.call(LIMITED, timeout=30)),
            asyncio.create_task(bus.call(UNLIMITED, timeout=1)),
        ]
        await bus.publish(EVENTS, 1)
        asking = asyncio.create_task(service.http.get("/page"))
        await socket.send("say")
        for call in calls:
            with pytest.raises(Timeout):
                await call
        assert time.monotonic() - began < 10  # not after the 30 s for which its caller would have waited
        await until(lambda: set(told()) == KINDS)
        with pytest.raises(Timeout):
            await bus.call(LIMITED, timeout=0.3)
        assert set(stubborn.begun) == {"limited", "unlimited", "heard", "tick", "page", "say"}
        assert set(stubborn.begun.values()) == {1}
        assert sorted(told()) == sorted(KINDS)
        stubborn.released.set()
        assert await bus.call(LIMITED, timeout=5) == "limited"
        await asking
        stubborn.released.clear()
        await socket.send("say")  # over the same connection
        await until(lambda: told().count("socket say") == 2)
        stubborn.released.set()
