"""The clock of the server is set while services run: soon afterwards everything goes by the new time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clocks import open_clock
from tests.engines import Engine
from tests.support import open_bus, raw_redis, until

from daebus import Action, Bus, Channel, Context, Daebus
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.timings import Timings
from daebus.errors import NoSuchService, Timeout
from daebus.testing import running
from daebus.websocket.replicas import Replicas

TIMINGS = Timings(clock=0.05, beat=60.0)
LEFT = Action[None, float]("left", service="timely")
CHANNEL = Channel[int]("timely", durable=True)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


def timely() -> Daebus:
    app = Daebus("timely")

    @app.action(LEFT)
    async def left(context: Context) -> float:
        return context.remaining or 0.0

    @app.listen(CHANNEL, name="ear")
    async def on_event(_: int) -> None: ...

    return app


async def is_right(bus: Bus) -> bool:
    """Whether the service has as much time for a call as its caller waits."""
    try:
        return abs(await bus.call(LEFT, timeout=0.5) - 0.5) < 0.1
    except (NoSuchService, Timeout):
        return False


@pytest.mark.parametrize("seconds", [1, -1, 3600, -3600])
async def test_deadlines_are_right_again_for_callers_that_came_before_and_after(engine: Engine, seconds: int) -> None:
    async with (
        open_clock(engine) as clock,
        running(timely(), redis_url=clock.url, timings=TIMINGS),
        open_bus(clock.url, TIMINGS) as before,
    ):
        assert await is_right(before)
        clock.step(seconds)
        async with open_bus(clock.url, TIMINGS) as after:
            await until(lambda: is_right(after), 2)
            await until(lambda: is_right(before), 2)


async def test_who_died_before_the_clock_was_set_back_counts_as_live_no_longer_than_else(engine: Engine) -> None:
    later = time.time() * 1000 + 3_600_000
    ghosts = {
        "daebus:{timely}:serving": '["former"]',
        "daebus:{timely}:servers": "dead 0",
        "daebus:{timely}:connected": "dead",
        "daebus:channel:{timely}:listening": "dead timely:ear ear",
    }
    async with raw_redis(engine.tcp_url) as redis:
        for key, member in ghosts.items():
            await redis.zadd(key, {member: later})
        async with (
            running(timely(), redis_url=engine.tcp_url, timings=Timings(beat=0.05)),
            open_node(RedisServer.from_url(engine.tcp_url)) as node,
        ):
            await Replicas(node.link, "timely").renew()
            for key, member in ghosts.items():

                async def is_clamped(key: str = key, member: str = member) -> bool:
                    return float(await redis.zscore(key, member)) <= time.time() * 1000

                await until(is_clamped, 2)
