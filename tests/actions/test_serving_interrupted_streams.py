"""Streams that another instance begins again, and streams of which an item was lost: the caller is told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from tests.processes import launched
from tests.support import raw_redis, until

from daebus import Bus, Context, Daebus, StreamAction
from daebus.bus.inbox import Conversation
from daebus.errors import Unavailable
from daebus.protocol.messages import Reply, reply_channel
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORKER = """
import asyncio, os
from collections.abc import AsyncIterator
from daebus import Daebus, Settings
from redis.asyncio import Redis

app = Daebus("streams", settings=Settings(lease=1.0))

@app.action("pids")
async def pids(items: int, *, redis: Redis) -> AsyncIterator[int]:
    is_first = await redis.rpush("begun", os.getpid()) == 1
    for _ in range(items if is_first else 5):
        yield os.getpid()
    if is_first:
        await asyncio.sleep(3600)

app.run(service="streams")
"""

PIDS = StreamAction[int, int]("pids", service="streams")
COUNT = StreamAction[None, int]("count", service="counting")


@asynccontextmanager
async def two_workers(folder: Path) -> AsyncGenerator[tuple[Bus, Any]]:
    """Two instances of the service, and a bus and a client for the test."""
    program, url = folder / "worker.py", private_redis_url()
    program.write_text(WORKER)
    async with Bus(url) as bus, raw_redis(url) as redis:
        await redis.delete("begun")
        with ExitStack() as stack:
            for _ in range(2):
                service = launched(sys.executable, str(program), cwd=folder, DAEBUS_REDIS_URL=url)
                stack.enter_context(service).wait_for("service started")
            yield bus, redis


async def test_a_stream_that_another_instance_begins_again_after_some_items_is_an_error(tmp_path: Path) -> None:
    async with two_workers(tmp_path) as (bus, redis):
        stream = bus.stream(PIDS, 2, timeout=30)
        found = [await anext(stream), await anext(stream)]
        os.kill(found[0], signal.SIGKILL)
        with pytest.raises(Unavailable, match=r"streams\.pids began again on another instance"):
            await anext(stream)
        assert await redis.llen("begun") == 2


async def test_a_stream_that_another_instance_begins_again_before_the_first_item_is_whole(tmp_path: Path) -> None:
    async with two_workers(tmp_path) as (bus, redis):
        reading = asyncio.create_task(_all(bus.stream(PIDS, 0, timeout=30)))
        await until(lambda: redis.exists("begun"))
        doomed = int(await redis.lindex("begun", 0))
        os.kill(doomed, signal.SIGKILL)
        pids = await reading
        assert len(pids) == 5
        assert set(pids).isdisjoint({doomed})


async def _all(stream: AsyncGenerator[int]) -> list[int]:
    return [item async for item in stream]


async def test_a_stream_of_which_an_item_was_lost_is_an_error() -> None:
    app = Daebus("counting")

    @app.action(COUNT)
    async def count(context: Context) -> AsyncIterator[int]:
        yield 1
        async with raw_redis(private_redis_url()) as redis:
            forged = b'{"status":"success","payload":3,"request_id":"%s","final":false,"number":3}'
            channel = reply_channel(context.request_id.rpartition("-")[0])
            assert await redis.publish(channel, forged % context.request_id.encode()) == 1
        yield 2

    async with running(app) as bus:
        stream = bus.stream(COUNT)
        assert await anext(stream) == 1
        with pytest.raises(Unavailable, match=r"counting\.count lost an item on its way"):
            await anext(stream)


async def test_a_caller_that_missed_the_last_items_is_not_told_that_the_stream_is_whole() -> None:
    app = Daebus("counting")
    missing = asyncio.Event()

    @app.action(COUNT)
    async def count() -> AsyncIterator[int]:
        yield 1
        await missing.wait()
        yield 2

    async with running(app) as bus:
        stream = bus.stream(COUNT)
        assert await anext(stream) == 1
        with ignoring(2):
            missing.set()
            with pytest.raises(Unavailable, match=r"counting\.count lost an item on its way"):
                await anext(stream)


@contextmanager
def ignoring(number: int) -> Generator[None]:
    """Inside, the item of a number does not arrive, as on a connection that the server has not yet given up."""
    receive = Conversation.receive

    def lossy(conversation: Conversation, reply: Reply) -> None:
        if reply.number != number:
            receive(conversation, reply)

    with patch.object(Conversation, "receive", lossy):
        yield
