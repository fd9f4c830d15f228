"""The settler: what is done with reaches the server, also one that was away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.declare.policies import Policy
from daebus.queues.leases import Entry, Lease
from daebus.queues.retries import Origin
from daebus.queues.settler import Settler
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


REGISTRY = "daebus:{x}:instances"
JOBS = Origin("x", ("action", "jobs"), "jobs", "group", REGISTRY, "jobs", Policy())
SHARED = msgspec.structs.replace(JOBS, again="others")


class Lapsing(Lease):
    """A lease that lapses when it is asked to."""

    def lapse(self) -> None:
        self._lapses += 1

    def lose_heartbeat(self) -> None:
        self._confirmed = float("-inf")


class Late(Lapsing):
    """A lease to which the first answer comes so late that another instance has taken the entries over since."""

    asked = 0

    async def confirm(self, key: str, registry: str, group: str, entries: Sequence[Entry]) -> list[Entry]:
        owned = await super().confirm(key, registry, group, entries)
        self.asked += 1
        if self.asked == 1:
            async with raw_redis(private_redis_url()) as redis:
                await redis.xclaim(key, group, "another", 0, [entry.id for entry in entries])
            await asyncio.sleep(self.seconds * 0.6)
        return owned


class Desk:
    """An instance that holds entries and settles them."""

    def __init__(self, node: Node, lease: Lapsing) -> None:
        self.node = node
        self.lease = lease
        self.settler = Settler(lease, node.link, make_logger())

    async def hold(self, redis: Any, number: int) -> list[Entry]:
        """So many new entries, read by this instance."""
        await redis.delete("jobs")
        await redis.xgroup_create("jobs", "group", "0", mkstream=True)
        for each in range(number):
            await redis.xadd("jobs", {"number": each})
        ((_, found),) = await redis.xreadgroup("group", self.node.id, {"jobs": ">"})
        return [Entry(entry_id, [], 1, 0, self.lease.tenure) for entry_id, _ in found]


@asynccontextmanager
async def settling(seconds: float = 6.0, kind: type[Lapsing] = Lapsing) -> AsyncGenerator[Desk]:
    async with open_node(RedisServer.from_url(private_redis_url())) as node:
        lease = kind(node, [REGISTRY], seconds, make_logger())
        await lease.start()
        try:
            yield Desk(node, lease)
        finally:
            await lease.stop()


async def heard(pubsub: Any) -> list[bytes]:
    """What was published so far."""
    messages = list[bytes]()
    for _ in range(4):  # one of them may be the answer to the subscription
        while (message := await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1)) is not None:
            messages.append(message["data"])
    return messages


class TestSettler:
    async def test_publishes_acknowledges_and_deletes(self) -> None:
        async with settling() as desk, raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe("replies")
            entries = await desk.hold(redis, 100)
            for entry in entries:
                desk.settler.settle(SHARED if entry is entries[0] else JOBS, entry, ("replies", b"done"))
            await desk.settler.drain()
            assert (await redis.xpending("jobs", "group"))["pending"] == 0
            assert [entry_id for entry_id, _ in await redis.xrange("jobs")] == [entries[0].id]
            heard = list[object]()

            async def hear() -> bool:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.01)
                heard.extend(() if message is None else (message["data"],))
                return len(heard) == 100

            await until(hear)

    async def test_goes_on_until_the_server_is_back(self) -> None:
        async with settling() as desk, raw_redis(private_redis_url()) as redis:
            first, second, third = await desk.hold(redis, 3)
            desk.settler.settle(JOBS, first)
            await asyncio.sleep(0)  # it is in the write that the break cuts short
            await redis.client_kill_filter(_type="normal", skipme=True)
            await until(lambda: not desk.node.link.connected)
            desk.settler.settle(JOBS, second)
            desk.settler.settle(JOBS, third)
            async with asyncio.timeout(10):
                await desk.settler.drain()
            assert await redis.xlen("jobs") == 0

    async def test_asks_for_entries_of_an_earlier_tenure_and_drops_what_was_taken_over(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with settling() as desk, raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe("replies")
            held = await desk.hold(redis, 4)
            own, taken, again, gone = held
            await redis.xclaim("jobs", "group", "another", 0, [taken.id, again.id])
            await redis.xclaim("jobs", "group", desk.node.id, 0, [again.id])  # it is here a second time
            await redis.xack("jobs", "group", gone.id)
            desk.lease.lapse()
            for number, entry in enumerate(held):
                desk.settler.settle(JOBS, entry, ("replies", b"%d" % number))
            assert desk.settler.unsettled("jobs", "group") == held
            await desk.settler.drain()
            left = await redis.xpending_range("jobs", "group", "-", "+", 10)
            assert [(one["message_id"], one["consumer"]) for one in left] == [
                (taken.id, b"another"),
                (again.id, desk.node.id.encode()),
            ]
            assert await heard(pubsub) == [b"0"]
            assert own.id not in [entry_id for entry_id, _ in await redis.xrange("jobs")]
        assert "entries=3 handlers={'jobs': 3}" in caplog.text

    async def test_what_a_broken_connection_kept_back_is_asked_for_after_a_lapse(self) -> None:
        async with settling() as desk, raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe("replies")
            own, taken = await desk.hold(redis, 2)
            await redis.client_kill_filter(_type="normal", skipme=True)
            await until(lambda: not desk.node.link.connected)
            for number, entry in enumerate((own, taken)):
                desk.settler.settle(JOBS, entry, ("replies", b"%d" % number))
            desk.settler.reply("replies", b"in any case")
            await asyncio.sleep(0)  # they were sent in vain
            desk.lease.lapse()
            await redis.xclaim("jobs", "group", "another", 0, [taken.id])
            async with asyncio.timeout(10):
                await desk.settler.drain()
            assert sorted(await heard(pubsub)) == [b"0", b"in any case"]
            assert [entry_id for entry_id, _ in await redis.xrange("jobs")] == [taken.id]

    async def test_an_entry_that_is_confirmed_is_settled_though_the_heartbeat_is_away(self) -> None:
        async with settling() as desk, raw_redis(private_redis_url()) as redis:
            (entry,) = await desk.hold(redis, 1)
            desk.lease.lose_heartbeat()
            assert desk.lease.tenure is None
            desk.settler.settle(JOBS, entry)
            async with asyncio.timeout(10):
                await desk.settler.drain()
            assert await redis.xlen("jobs") == 0

    async def test_an_owner_that_counted_as_dead_lapses_whatever_its_own_clock_says(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with settling(0.6) as desk, raw_redis(private_redis_url()) as redis:
            (entry,) = await desk.hold(redis, 1)
            assert desk.lease.covers(entry)
            await redis.zincrby(REGISTRY, -600_000, desk.node.id)  # as if the server's clock had been set
            await until(lambda: desk.lease.lapses.count)
            assert not desk.lease.covers(entry)
        assert "counted as dead within its lease, as the clock of the server was set" in caplog.text

    async def test_a_heartbeat_is_relied_on_for_half_a_lease(self) -> None:
        async with settling(0.6) as desk, raw_redis(private_redis_url()) as redis:
            (entry,) = await desk.hold(redis, 1)
            desk.lease.is_paused = True
            began = time.monotonic()
            await until(lambda: desk.lease.tenure is None)
            assert time.monotonic() - began < 0.45
            assert not desk.lease.covers(entry)
            assert desk.lease.lapses.count == 0

    async def test_an_answer_that_is_older_than_what_can_be_relied_on_is_none(self) -> None:
        async with settling(0.6, Late) as desk, raw_redis(private_redis_url()) as redis:
            entries = await desk.hold(redis, 2)
            assert await desk.lease.owned("jobs", REGISTRY, "group", entries) == []

    async def test_does_not_wait_for_what_the_server_refuses(self, caplog: pytest.LogCaptureFixture) -> None:
        async with settling() as desk, raw_redis(private_redis_url()) as redis:
            await redis.set("jobs", "no stream")
            desk.settler.settle(JOBS, Entry(b"1-1", [], 1, 0, desk.lease.tenure))
            async with asyncio.timeout(5):
                await desk.settler.drain()
            await redis.delete("jobs")
        assert "entries could not be settled" in caplog.text
