"""Taking over: who seems to be dead is looked at twice, and a suspect that may have arrived keeps its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support import raw_redis, until

from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.errors import Unavailable
from daebus.queues.lease_scripts import BEAT
from daebus.queues.leases import Entry, Lease, Taken
from daebus.queues.registries import News
from daebus.queues.streams import BoundedStream, Task
from daebus.queues.suspects import Turn
from daebus.queues.takeover import Member, TakeOver
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

REGISTRY = "daebus:{x}:instances"
STREAM = "daebus:{x}:action:work"
OWNER = "owner-500"


class Losing(Lease):
    """A lease whose answers to take-overs may be lost."""

    is_losing = False

    async def take_over(
        self, key: str, registry: str, group: str, room: int, dead: Any, *, suspects: bool = True
    ) -> Taken:
        taken = await super().take_over(key, registry, group, room, dead, suspects=suspects)
        if self.is_losing:
            raise Unavailable("on purpose")
        return taken


class Heir:
    """An instance that takes over from an owner that beats no more.

    Attributes:
        taken: What it has started.
        doubts: How often it did not know what it has.
    """

    def __init__(self, lease: Losing, member: Member) -> None:
        self.lease = lease
        self.taken: list[Entry] = []
        self.doubts = 0
        stream = BoundedStream(STREAM, "work", 10, self._handle, lambda _, __: 1.0)
        self.take_over = TakeOver(member, [stream], self._take, lambda _: None, self._doubt, make_logger())

    async def _handle(self, _: Entry, __: Task) -> None: ...

    def _take(self, stream: BoundedStream, entry: Entry, turn: Turn | None = None) -> None:
        assert stream.key == STREAM
        self.taken.append(entry)
        if turn is not None:
            turn.end()

    def _doubt(self) -> None:
        self.doubts += 1


@asynccontextmanager
async def heir() -> AsyncGenerator[tuple[Heir, Any]]:
    """An heir, once it may take over, and an entry that the owner has in hand and for which it still beats."""
    async with raw_redis(private_redis_url()) as redis, open_node(RedisServer.from_url(private_redis_url())) as node:
        lease = Losing(node, [REGISTRY], 0.5, make_logger())
        await lease.start()
        await redis.xgroup_create(STREAM, "daebus", "0", mkstream=True)
        for number in range(2):
            await redis.xadd(STREAM, {"request": number})
        await beat(redis)
        await redis.xreadgroup("daebus", OWNER, {STREAM: ">"})
        found = Heir(lease, Member(node, "daebus", REGISTRY, lease))

        async def ready() -> bool:
            await beat(redis)
            return lease.may_take_over

        await until(ready)
        running = asyncio.create_task(found.take_over.run())
        try:
            yield found, redis
        finally:
            running.cancel()
            await asyncio.wait({running})
            await lease.stop()


async def beat(redis: Any) -> None:
    await redis.eval(BEAT.text, 1, REGISTRY, OWNER, 500)


async def test_an_owner_that_is_heard_between_two_looks_keeps_its_work() -> None:
    """As after two stalls of the server, between which it answered the heir and not yet the owner."""
    async with heir() as (one, redis):
        beating: list[asyncio.Task[None]] = []

        async def beat_soon() -> None:
            await asyncio.sleep(0.02)  # the looks are 0.05 s apart
            await beat(redis)

        def learn(news: News) -> None:
            if OWNER.encode() in news.dead:
                beating.append(asyncio.create_task(beat_soon()))

        one.lease.registries.follow(REGISTRY, learn)
        await until(lambda: len(beating) >= 3)
        await asyncio.gather(*beating)
        assert one.taken == []


async def test_an_owner_that_is_not_heard_is_taken_from() -> None:
    async with heir() as (one, _):
        await until(lambda: len(one.taken) == 2)
        assert one.doubts == 0


async def test_a_suspect_whose_answer_was_lost_keeps_the_turn() -> None:
    async with heir() as (one, redis):
        one.lease.is_losing = True
        await until(lambda: one.doubts)
        assert one.lease.suspects.take() is None
        one.lease.is_losing = False
        await asyncio.sleep(0.4)  # nothing shows that no other suspect is claimed but its absence
        pending = await redis.xpending_range(STREAM, "daebus", "-", "+", 10)
        assert sorted(entry["consumer"] == OWNER.encode() for entry in pending) == [False, True]
