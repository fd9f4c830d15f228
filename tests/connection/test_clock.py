"""The clock of the server, which may be set while services run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clocks import open_clock
from tests.engines import Engine
from tests.support import raw_redis

from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.connection.scripts import NOW, Script

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
