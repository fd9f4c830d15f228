"""The clock of the server, which may be set while services run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clocks import open_clock
from tests.engines import Engine
from tests.faults.world import told
from tests.support import raw_redis, until

from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.connection.scripts import NOW, Script
from daebus.core.timings import Timings

_READ = Script(NOW + "return now")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


async def test_scripts_and_commands_see_a_clock_that_tests_set(engine: Engine) -> None:
    async with (
        open_clock(engine) as clock,
        raw_redis(clock.url) as redis,
        open_node(RedisServer.from_url(clock.url)) as node,
    ):
        for hours, off in ((1, 3600), (-2, -3600), (1, 0)):
            clock.step(3600 * hours)
            seconds, _ = await redis.time()
            for _ in range(2):  # by the text, and by its hash
                now = await node.link.script(_READ, [], [])
                assert isinstance(now, int)
                assert abs(now / 1000 - seconds) < 60
            assert abs(seconds - time.time() - off) < 60


TIMINGS = Timings(clock=0.05)


@pytest.mark.parametrize("seconds", [1, -1, 3600, -3600])
async def test_a_clock_that_is_set_is_followed_and_told_once(engine: Engine, seconds: int) -> None:
    async with open_clock(engine) as clock, open_node(RedisServer.from_url(clock.url, timings=TIMINGS)) as node:
        reminded: list[str] = []
        node.when_forgotten(lambda: reminded.append("again"))
        with told() as lines:
            before = node.clock.now()
            clock.step(seconds)
            await until(lambda: abs(node.clock.now() - before - 1000 * seconds) < 500, 2)
            assert abs(node.clock.now() / 1000 - time.time() - seconds) < 0.1
            await asyncio.sleep(0.2)  # nothing shows that nothing more is said but its absence
        assert reminded == ["again"]
        (line,) = lines
        way = "forward" if seconds > 0 else "back"
        assert f"was set {way} by {abs(seconds)}.0 s, from 20" in line
        assert "Deadlines of calls follow" in line


async def test_a_small_step_is_followed_and_not_told(engine: Engine) -> None:
    async with open_clock(engine) as clock, open_node(RedisServer.from_url(clock.url, timings=TIMINGS)) as node:
        with told() as lines:
            clock.step(0.2)
            await until(lambda: abs(node.clock.now() / 1000 - time.time() - 0.2) < 0.05, 2)
        assert lines == []


async def test_answers_that_are_late_make_the_clock_no_worse(engine: Engine) -> None:
    async with open_clock(engine) as clock, open_node(RedisServer.from_url(clock.url, timings=TIMINGS)) as node:
        off = abs(node.clock.now() / 1000 - time.time())
        clock.proxy.delay = 0.3
        with told() as lines:
            await asyncio.sleep(0.5)
            assert abs(node.clock.now() / 1000 - time.time()) < off + 0.02
        assert lines == []
