"""The last hours of the services: written by one console of several, bounded, and read by all."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.console.market import FIND, shop
from tests.support import until

from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.console.history import SAMPLER, History, history_key
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


async def read(history: History, minutes: int = 60) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(await history.read("shop", minutes))
    return found


async def test_one_console_writes_samples_and_another_one_takes_over(node: Node, redis: Any) -> None:
    async with running(shop()) as service, open_node(RedisServer.from_url(private_redis_url())) as second:
        one, other = (History(each, make_logger(), 0.05) for each in (node, second))
        first = asyncio.create_task(one.run())
        await until(lambda: _held_by(redis, node))
        next_one = asyncio.create_task(other.run())
        await service.call(FIND, "cup")
        await until(lambda: _has(other, 3))
        samples = await read(other)
        assert max(one["messages"] for one in samples) > 0
        assert samples[0]["versions"] == ["2.4.0"]
        assert samples == sorted(samples, key=lambda sample: sample["at"])
        first.cancel()
        await until(lambda: _held_by(redis, second))
        assert 0 < await redis.pttl(history_key("shop")) <= 86_400_000
        next_one.cancel()
        await asyncio.wait({first, next_one})
        assert await redis.get(SAMPLER) is None


async def _held_by(redis: Any, node: Node) -> bool:
    return bool(await redis.get(SAMPLER) == node.id.encode())


async def _has(history: History, number: int) -> bool:
    return len(await read(history)) >= number


async def test_many_samples_become_fewer_and_keep_their_peaks(node: Node, redis: Any) -> None:
    history, now = History(node, make_logger()), node.clock.now()
    for index in range(1_000):
        sample = {"messages": 2.0, "queued": 7 if index == 500 else 1, "p95": 0.5 if index == 500 else None}
        await redis.xadd(
            history_key("shop"), {"s": msgspec.json.encode(sample)}, id=f"{now - 1_000_000 + index * 1000}-0"
        )
    samples = await read(history)
    assert len(samples) <= 360
    assert max(one["queued"] for one in samples) == 7
    assert max(one["p95"] or 0 for one in samples) == 0.5
    assert {one["messages"] for one in samples} == {2.0}
    assert len(await read(history, 1)) <= 62
