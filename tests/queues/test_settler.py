"""The settler: what is done with reaches the server, also one that was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from tests.support import raw_redis, until

from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.queues.settler import Settler
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


@asynccontextmanager
async def settling() -> AsyncGenerator[tuple[Settler, ServerLink]]:
    link = ServerLink(RedisServer.from_url(private_redis_url()))
    await link.start()
    try:
        yield Settler(link, make_logger()), link
    finally:
        await link.close()


class TestSettler:
    async def test_publishes_acknowledges_and_deletes(self) -> None:
        async with settling() as (settler, _), raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
            await redis.xgroup_create("jobs", "group", "0", mkstream=True)
            await pubsub.subscribe("replies")
            ids = [await redis.xadd("jobs", {"number": number}) for number in range(100)]
            await redis.xreadgroup("group", "me", {"jobs": ">"})
            for entry_id in ids:
                settler.reply("replies", b"done")
                settler.settle("jobs", "group", entry_id, delete=entry_id != ids[0])
            await settler.drain()
            assert (await redis.xpending("jobs", "group"))["pending"] == 0
            assert [entry_id for entry_id, _ in await redis.xrange("jobs")] == ids[:1]
            heard = list[object]()

            async def hear() -> bool:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.01)
                heard.extend(() if message is None else (message["data"],))
                return len(heard) == 100

            await until(hear)

    async def test_goes_on_until_the_server_is_back(self) -> None:
        async with settling() as (settler, link), raw_redis(private_redis_url()) as redis:
            await redis.xgroup_create("jobs", "group", "0", mkstream=True)
            ids = [await redis.xadd("jobs", {"number": number}) for number in range(3)]
            await redis.xreadgroup("group", "me", {"jobs": ">"})
            settler.settle("jobs", "group", ids[0], delete=True)
            await asyncio.sleep(0)  # it is in the write that the break cuts short
            await redis.client_kill_filter(_type="normal", skipme=True)
            await until(lambda: not link.connected)
            settler.settle("jobs", "group", ids[1], delete=True)
            settler.settle("jobs", "group", ids[2], delete=True)
            async with asyncio.timeout(10):
                await settler.drain()
            assert await redis.xlen("jobs") == 0

    async def test_does_not_wait_for_what_the_server_refuses(self, caplog: pytest.LogCaptureFixture) -> None:
        async with settling() as (settler, _), raw_redis(private_redis_url()) as redis:
            await redis.set("jobs", "no stream")
            settler.settle("jobs", "group", b"1-1", delete=True)
            async with asyncio.timeout(5):
                await settler.drain()
        assert "entries could not be settled" in caplog.text
