"""Fences: whatever becomes of a message, each delivery has a greater one than all deliveries before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support import raw_redis, until

from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.protocol.fences import drawn_fence, entry_fence
from daebus.queues.lease_scripts import LEAVE
from daebus.queues.leases import Entry, Lease
from daebus.queues.undelivered import OWNED
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

STREAM, REGISTRY, GROUP = "daebus:{x}:action:work", "daebus:{x}:instances", "daebus"
COUNTER = "daebus:{x}:instances:fence"
LEASE = 0.3


def test_a_fence_compares_as_text() -> None:
    fences = [
        entry_fence(b"999-0", 0),
        entry_fence(b"1000-9", 0),
        entry_fence(b"1000-10", 0),
        entry_fence(b"1000-10", 1),
        entry_fence(b"1000-10", 1_795_348_800_000),
        entry_fence(b"1001-0", 0),
        drawn_fence(1_795_348_800_000),
        entry_fence(b"1795348800000-1", 0),
        drawn_fence(1_795_348_800_001),
        entry_fence(b"99999999999999-0", 0),
    ]
    assert fences == sorted(set(fences))
    assert {(len(fence), fence.isdigit()) for fence in fences} == {(38, True)}


class Instance:
    """An instance that takes entries over, and leaves."""

    def __init__(self, node: Node, lease: Lease) -> None:
        self.node = node
        self.lease = lease
        self.is_there = True

    async def take_over(self, dead: Instance) -> Entry:
        taken = list[Entry]()

        async def took() -> bool:
            asked = (STREAM, REGISTRY, GROUP, 1, [dead.node.id.encode()])
            taken.extend((await self.lease.take_over(*asked)).entries)
            return bool(taken)

        await until(took)
        return taken[0]

    async def leave(self) -> None:
        await self.node.link.script(LEAVE, [STREAM], [GROUP, self.node.id])
        self.lease.registries.leaving.add(REGISTRY)
        await self.stop()

    async def stop(self) -> None:
        if self.is_there:
            self.is_there = False
            await self.lease.stop()

    async def read(self) -> Entry:
        """A new entry, which this instance is the first to read."""
        redis = self.node.link
        await redis.execute("XADD", STREAM, "*", "request", "{}")
        reply: Any = await redis.execute("XREADGROUP", "GROUP", GROUP, self.node.id, "STREAMS", STREAM, ">")
        ((_, [(entry_id, fields)]),) = reply
        return Entry(entry_id, fields, 1, 0, self.lease.tenure)

    async def look(self) -> Entry:
        """The entry that it owns, as it finds it after the answer to a read or a take-over was lost."""
        found: Any = await self.node.link.script(OWNED, [STREAM, COUNTER], (GROUP, self.node.id, "-", 10))
        ((entry_id, fields, deliveries, drawn),) = found
        return Entry(entry_id, fields, deliveries, drawn)


@pytest.fixture
async def instances() -> AsyncIterator[list[Instance]]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(raw_redis(private_redis_url()))
        await redis.flushall()
        await redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
        made = list[Instance]()
        for _ in range(4):
            node = await stack.enter_async_context(open_node(RedisServer.from_url(private_redis_url())))
            lease = Lease(node, [REGISTRY], LEASE, make_logger())
            await lease.start()
            made.append(Instance(node, lease))
            stack.push_async_callback(made[-1].stop)
        yield made


async def test_each_take_over_has_a_greater_fence_though_those_who_leave_take_their_deliveries_back(
    instances: list[Instance],
) -> None:
    first, *others = instances
    entry = await first.read()
    fences, deliveries = [entry.fence], [entry.deliveries]
    assert entry.fence == entry_fence(entry.id, 0)
    await first.leave()
    dead = first
    for other in others:
        entry = await other.take_over(dead)
        found = await other.look()
        fences += [entry.fence, found.fence]
        deliveries.append(found.deliveries)
        await other.node.link.execute("DEL", COUNTER)
        await asyncio.sleep(0.005)  # the clock is as good
        await other.leave()
        dead = other
    assert fences == sorted(set(fences))
    assert deliveries == [1, 1, 1, 1], "counts of deliveries would not have grown"


async def test_a_clock_that_was_set_back_makes_no_smaller_fence(instances: list[Instance]) -> None:
    first, second, *_ = instances
    entry = await first.read()
    ahead = 9_000_000_000_000
    await first.node.link.execute("SET", COUNTER, ahead)
    await first.leave()
    assert (await second.take_over(first)).fence == entry_fence(entry.id, ahead + 1)


async def test_what_no_delivery_owns_any_more_is_not_confirmed(instances: list[Instance]) -> None:
    first, second, *_ = instances
    entry = await first.read()
    confirm = (STREAM, REGISTRY, GROUP, [entry])
    assert await first.lease.confirm(*confirm) == [entry]
    link = first.node.link
    await link.execute("XCLAIM", STREAM, GROUP, second.node.id, 0, entry.id)
    assert await first.lease.confirm(*confirm) == []
    await link.execute("XCLAIM", STREAM, GROUP, first.node.id, 0, entry.id)
    assert await first.lease.confirm(*confirm) == [], "it is with a later delivery to the same instance"
    await link.execute("XGROUP", "DESTROY", STREAM, GROUP)
    assert await first.lease.owned(*confirm) == []
