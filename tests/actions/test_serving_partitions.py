"""Services whose actions have several streams: what goes where, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import sys
import zlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.processes import launched
from tests.support import until

from daebus import Action, Bus, Daebus, Settings, StreamAction
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.errors import Conflict, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORK = Action[int, int]("work", service="shop")
COUNT = StreamAction[int, int]("count", service="shop")
SERVING = "daebus:{shop}:serving"


class Shop:
    """A service that notes what it does.

    Attributes:
        done: The numbers that it was given, a run each.
        busy: How many of them are handled now.
        most: How many were at most.
        failures: What the next runs raise.
        released: Is set while runs may end.
    """

    def __init__(self) -> None:
        self.done: list[int] = []
        self.busy = self.most = 0
        self.failures: list[Exception] = []
        self.released = asyncio.Event()
        self.released.set()

    def app(self, partitions: int, concurrency: int | None = None) -> Daebus:
        app = Daebus("shop", settings=Settings(partitions=partitions, lease=2.0))

        @app.action(WORK, concurrency=concurrency, backoff=0.02)
        async def work(number: int) -> int:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await asyncio.sleep(0.002)
            await self.released.wait()
            self.busy -= 1
            if self.failures:
                raise self.failures.pop()
            self.done.append(number)
            return number

        @app.action(COUNT)
        async def count(number: int) -> AsyncGenerator[int]:
            for item in range(number):
                yield item

        return app


def partition(number: int) -> str:
    return f"shop:{number}" if number else "shop"


async def appended(redis: Any, action: str, partitions: int) -> list[int]:
    """How many entries each stream of an action has ever had."""
    keys = [f"daebus:{{{partition(number)}}}:action:{action}" for number in range(partitions)]
    return [(await redis.xinfo_stream(key))["entries-added"] if await redis.exists(key) else 0 for key in keys]


# In one step: an entry that fails goes from one key to another.
_LEFT = """
local left = #redis.call('KEYS', 'daebus:{shop*}:retries')
for _, key in ipairs(redis.call('KEYS', 'daebus:{shop*}:action:*')) do left = left + redis.call('XLEN', key) end
return left
"""


async def nothing_left(redis: Any) -> bool:
    """Whether nothing waits in any partition, and nobody is at work."""
    return bool(await redis.eval(_LEFT, 0) == 0)


async def test_what_is_asked_goes_to_the_partitions_in_turn(redis: Any) -> None:
    shop = Shop()
    async with running(shop.app(4)) as service:
        assert await asyncio.gather(*(service.bus.call(WORK, number) for number in range(40))) == list(range(40))
        for number in range(8):
            await service.bus.send(WORK, number)
        for _ in range(4):
            assert [item async for item in service.bus.stream(COUNT, 300)] == list(range(300))
        async with aclosing(service.bus.stream(COUNT, 1_000_000)) as items:
            async for _ in items:
                break
        await until(lambda: nothing_left(redis))
        assert await appended(redis, "work", 4) == [12] * 4
        assert sorted(await appended(redis, "count", 4)) == [1, 1, 1, 2]
    assert len(shop.done) == 48
    assert not await redis.keys("daebus:{shop:4}:*")


async def test_a_service_with_one_partition_has_the_keys_that_it_always_had(redis: Any) -> None:
    async with running(Shop().app(1)) as service:
        await asyncio.gather(*(service.bus.call(WORK, number) for number in range(4)))
    assert not await redis.keys("daebus:{shop:*")


async def test_the_partitions_share_the_concurrency_of_an_action(redis: Any) -> None:
    shop = Shop()
    shop.released.clear()
    async with running(shop.app(4, concurrency=6)) as service:
        await asyncio.gather(*(service.bus.send(WORK, number) for number in range(60)))
        await until(lambda: shop.most > 4)
        shop.released.set()
        await until(lambda: nothing_left(redis))
    assert sorted(shop.done) == list(range(60))
    assert shop.most <= 6


async def test_a_key_runs_once_whoever_asks(redis: Any) -> None:
    shop = Shop()
    async with running(shop.app(4)), AsyncExitStack() as stack:
        buses = [await stack.enter_async_context(Bus(private_redis_url())) for _ in range(3)]
        asked = [bus.call(WORK, key, idempotency_key=f"order-{key}") for key in range(40) for bus in buses]
        assert await asyncio.gather(*asked) == [key for key in range(40) for _ in buses]
        await buses[0].send(WORK, 7, idempotency_key="order-7")
        with pytest.raises(Conflict, match=r"'order-7' was used for shop\.work with another payload"):
            await buses[1].call(WORK, 8, idempotency_key="order-7")
        await until(lambda: nothing_left(redis))
    assert sorted(shop.done) == list(range(40))
    assert all(await appended(redis, "work", 4))


async def test_what_fails_is_handled_again_in_its_partition_or_dies_and_is_replayed(redis: Any) -> None:
    shop = Shop()
    async with running(shop.app(4)) as service, open_node(RedisServer.from_url(private_redis_url())) as node:
        await service.bus.call(WORK, 0)
        shop.failures = [Unavailable("away")] * 4
        for number in range(1, 5):
            await service.bus.send(WORK, number)
        await until(lambda: nothing_left(redis))
        assert sorted(await appended(redis, "work", 4)) == [2, 2, 2, 3]
        shop.failures = [Conflict("taken")] * 4
        for number in range(5, 9):
            await service.bus.send(WORK, number, idempotency_key=f"key-{number}")
        await until(lambda: nothing_left(redis))
        letters = DeadLetters(node, "shop")
        found = [letter async for letter in letters.all()]
        assert [(letter.service, letter.action) for letter in found] == [("shop", "work")] * 4
        for letter in found:
            assert await letters.replay(letter)
            assert not await letters.replay(letter)
        await until(lambda: nothing_left(redis))
        await asyncio.gather(*(service.bus.call(WORK, key, idempotency_key=f"key-{key}") for key in range(5, 9)))
    assert sorted(shop.done) == list(range(9))


async def test_where_nobody_serves_requests_go_where_they_went_last(redis: Any) -> None:
    async with Bus(private_redis_url()) as bus:
        await bus.send(WORK, 0)
    assert await appended(redis, "work", 4) == [1, 0, 0, 0]
    shop = Shop()
    async with running(shop.app(4)) as service:
        await service.bus.call(WORK, 1, idempotency_key="key")
    for member, beat in await redis.zrange(SERVING, 0, -1, withscores=True):
        await redis.zadd(SERVING, {member: beat - 3_600_000})
    async with Bus(private_redis_url()) as bus:
        await bus.send(WORK, 1, idempotency_key="key")
        for number in range(2, 6):
            await bus.send(WORK, number)
    found = await appended(redis, "work", 4)
    assert sum(found) == 7
    assert found[zlib.crc32(b"key") % 4] >= 2
    async with running(shop.app(2)):
        await until(lambda: nothing_left(redis))
    assert sorted(shop.done) == list(range(6))


async def test_replicas_with_different_numbers_work_together(redis: Any) -> None:
    old, new = Shop(), Shop()
    async with running(old.app(1)) as first:
        await first.bus.call(WORK, 0)
        async with running(new.app(3)), Bus(private_redis_url()) as bus:
            await asyncio.gather(*(bus.call(WORK, number) for number in range(1, 31)))
            await first.bus.call(WORK, 31)  # it does not know yet
        assert sorted(await appended(redis, "work", 3)) == [10, 10, 12]
    async with running(old.app(1)) as first:
        await asyncio.gather(*(first.bus.call(WORK, number) for number in range(32, 38)))  # the number lives on a while
        assert sorted(await appended(redis, "work", 3)) == [12, 12, 14]
        beat = await redis.zscore(SERVING, ":3")
        await redis.zadd(SERVING, {":3": beat - 60_000})
        async with Bus(private_redis_url()) as bus:
            await asyncio.gather(*(bus.call(WORK, number) for number in range(38, 44)))
    assert sum(await appended(redis, "work", 3)) == 44
    assert (await appended(redis, "work", 3))[0] >= 18
    assert sorted(old.done + new.done) == list(range(44))
    assert await nothing_left(redis)


REPLICA = """
import asyncio, os
from daebus import Daebus, Settings
from redis.asyncio import Redis

app = Daebus("shop", settings=Settings(partitions=4, lease=1.0))

@app.action("work")
async def work(number: int, *, redis: Redis) -> int:
    await redis.rpush("begun", f"{os.getpid()} {number}")
    while not await redis.exists("healed"):
        await asyncio.sleep(0.02)
    return number

app.run(service="shop")
"""


async def test_the_work_of_a_killed_replica_is_taken_over_in_each_partition(redis: Any, tmp_path: Path) -> None:
    program, numbers = tmp_path / "replica.py", range(8)
    program.write_text(REPLICA)
    command, url = (sys.executable, str(program)), private_redis_url()

    async def begun(pid: int) -> bool:
        notes = [note.decode() for note in await redis.lrange("begun", 0, -1)]
        return sorted(note for note in notes if note.startswith(str(pid))) == [f"{pid} {number}" for number in numbers]

    with launched(*command, DAEBUS_REDIS_URL=url) as doomed:
        doomed.wait_for("service started")
        async with Bus(url) as bus:
            asked = [asyncio.create_task(bus.call(WORK, number, timeout=20)) for number in numbers]
            await until(lambda: begun(doomed.process.pid))
            with launched(*command, DAEBUS_REDIS_URL=url) as heir:
                heir.wait_for("service started")
                doomed.process.kill()
                await redis.set("healed", os.getpid())  # one after another, as each may be what has killed the first
                assert await asyncio.gather(*asked) == list(numbers)
                assert await begun(heir.process.pid)
                await until(lambda: nothing_left(redis))
