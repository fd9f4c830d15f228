"""The feed of the fleet: newest states only, made once for all, and nothing is read while nobody looks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from tests.console.market import Mails
from tests.support import until

from daebus.connection.node import Node
from daebus.console.feed import FleetFeed, Snapshot
from daebus.telemetry.logs import make_logger
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


async def test_who_is_slow_gets_the_newest_state_and_no_backlog(node: Node) -> None:
    feed, made = FleetFeed(node, make_logger()), list[int]()

    def render(state: Snapshot) -> bytes:
        made.append(state.at)
        return str(state.at).encode()

    async with running(Mails().app()):
        reading = asyncio.create_task(feed.run())
        async with aclosing(feed.follow("x", render)) as slow, aclosing(feed.follow("x", render)) as fast:
            first = await anext(slow)
            seen = [await anext(fast) for _ in range(3)]
            assert first == seen[0]
            assert await anext(slow) == seen[-1]
            assert len(made) == 3
        at_rest = feed.number
        await asyncio.sleep(0.6)
        assert feed.number <= at_rest + 1
        reading.cancel()


async def test_an_end_ends_all_views(node: Node) -> None:
    feed = FleetFeed(node, make_logger())
    reading = asyncio.create_task(feed.run())

    async def follow() -> None:
        async for _ in feed.follow("x", lambda state: b""):
            pass

    following = asyncio.create_task(follow())
    await until(lambda: feed.number > 0)
    feed.close()
    await asyncio.wait_for(following, 2)
    reading.cancel()
