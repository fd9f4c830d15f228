"""The end of an entry in hand: what is settled, who is told, what comes again and what is a dead letter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.declare.policies import Policy
from daebus.errors import Internal, NotFound
from daebus.protocol.messages import Reply, Request
from daebus.queues.idempotency import KeyedRun
from daebus.queues.leases import Entry, Lease
from daebus.queues.retries import GROUP, Origin, Retries
from daebus.queues.settler import Settler
from daebus.queues.work import Work, once
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

STREAM = "daebus:{shop}:action:pay"
REGISTRY = "daebus:{shop}:instances"
DELAYED = "daebus:{shop}:retries"
DEAD = "daebus:{shop}:dead"
ACTION = Origin("shop", ("action", "pay"), STREAM, GROUP, REGISTRY, STREAM, Policy(retries=1, backoff=60.0))


class Shop:
    """An instance that reads the stream of an action, and hears all replies."""

    def __init__(self, node: Node, lease: Lease, redis: Any, pubsub: Any) -> None:
        self.node = node
        self.lease = lease
        self.redis = redis
        self.replies: list[Reply] = []
        self._pubsub = pubsub
        self._settler = Settler(lease, node.link, make_logger())
        self._retries = Retries(node, "shop", make_logger())
        self._requests = 0

    async def work(self, *, waits: bool = True, key: str | None = None, deliveries: int = 1, body: bytes = b"") -> Work:
        """Work for one more request, sent and read."""
        self._requests += 1
        reply_to = "daebus:reply:test" if waits else None
        request = Request("pay", request_id=f"r{self._requests}", reply_to=reply_to, idempotency_key=key)
        await self.redis.xadd(STREAM, {"request": body or msgspec.json.encode(request)})
        ((_, [(entry_id, fields)]),) = await self.redis.xreadgroup(GROUP, "somebody", {STREAM: ">"}, count=1)
        await self.redis.xclaim(STREAM, GROUP, "somebody", 0, [entry_id], retrycount=deliveries, justid=True)
        flat = [part for pair in fields.items() for part in pair]
        entry = Entry(entry_id, flat, deliveries, 0, self.lease.tenure)
        if body:
            return Work(entry, ACTION, self._settler, self._retries)
        work = Work(entry, ACTION, self._settler, self._retries, request)
        return work if key is None else once(work, request, self.node)

    async def ended(self, replies: int) -> list[tuple[str, str, bytes]]:
        """The replies so far, once there are so many, and nothing is left in the stream."""

        async def all_came() -> bool:
            message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=0.01)
            if message is not None:
                self.replies.append(msgspec.json.decode(message["data"], type=Reply))
            return len(self.replies) >= replies and not await self.redis.xlen(STREAM)

        await until(all_came)
        assert (await self.redis.xpending(STREAM, GROUP))["pending"] == 0
        return [(reply.request_id, reply.status, bytes(reply.payload)) for reply in self.replies]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    url = private_redis_url()
    async with open_node(RedisServer.from_url(url)) as node, raw_redis(url) as redis, redis.pubsub() as pubsub:
        node.id = "somebody"
        await redis.flushall()
        await redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
        await pubsub.subscribe("daebus:reply:test")
        lease = Lease(node, [REGISTRY], 6.0, make_logger())
        await lease.start()
        yield Shop(node, lease, redis, pubsub)
        await lease.stop()


async def test_a_reply_is_sent_and_the_entry_settled(shop: Shop) -> None:
    await (await shop.work()).reply(b"7")
    assert await shop.ended(1) == [("r1", "success", b"7")]


async def test_who_waits_is_told_of_a_failure(shop: Shop) -> None:
    await (await shop.work()).failed(NotFound("no such order"))
    ((_, status, payload),) = await shop.ended(1)
    assert (status, b'"not_found"' in payload) == ("error", True)
    assert not await shop.redis.exists(DELAYED, DEAD)


async def test_where_nobody_waits_what_fails_comes_again_and_is_a_dead_letter_in_the_end(shop: Shop) -> None:
    await (await shop.work(waits=False)).failed(Internal("x"))
    assert await shop.ended(0) == []
    assert await shop.redis.zcard(DELAYED) == 1
    await (await shop.work(waits=False)).failed(NotFound("no such order"))
    assert await shop.ended(0) == []
    assert await shop.redis.xlen(DEAD) == 1


async def test_where_nobody_waits_success_is_only_settled(shop: Shop) -> None:
    await (await shop.work(waits=False)).reply(b"7")
    await (await shop.work()).done()
    assert await shop.ended(0) == []


async def test_what_is_no_request_is_a_dead_letter(shop: Shop) -> None:
    await (await shop.work(body=b"{")).refuse(ValueError("truncated"))
    assert await shop.ended(0) == []
    ((_, letter),) = await shop.redis.xrange(DEAD)
    assert (letter[b"code"], letter[b"error"]) == (b"bad_request", b"It is not a request: truncated")


@pytest.mark.parametrize(("waits", "most"), [(True, 2), (False, 5)])
async def test_what_was_delivered_too_often_has_ended_before_it_runs(shop: Shop, waits: bool, most: int) -> None:
    assert await (await shop.work(waits=waits, deliveries=most)).begin()
    assert not await (await shop.work(waits=waits, deliveries=most + 1)).begin()
    await until(lambda: shop.redis.xlen(DEAD))
    ((_, letter),) = await shop.redis.xrange(DEAD)
    assert letter[b"deliveries"] == str(most).encode()


async def test_all_with_an_idempotency_key_get_the_reply_of_the_one_that_runs(shop: Shop) -> None:
    first, second = await shop.work(key="k"), await shop.work(key="k")
    assert await first.begin()
    assert not await second.begin()
    await first.reply(b"7")
    assert sorted(await shop.ended(2)) == [("r1", "success", b"7"), ("r2", "success", b"7")]
    assert not await (await shop.work(key="k")).begin()
    assert ("r3", "success", b"7") in await shop.ended(3)


async def test_a_run_that_failed_in_passing_leaves_the_key_to_the_next(shop: Shop) -> None:
    first = await shop.work(key="k")
    assert await first.begin()
    await first.failed(Internal("x"))
    assert [status for _, status, _ in await shop.ended(1)] == ["error"]
    second = await shop.work(key="k")
    assert await second.begin()
    await second.done()
    assert len(await shop.ended(1)) == 1
    assert await (await shop.work(key="k")).begin()


async def test_a_key_that_another_instance_has_by_the_time_of_the_answer_does_not_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop hangs after the server has answered, and the lease ends."""
    work, claim = await shop.work(key="k"), KeyedRun.claim

    async def late(run: KeyedRun) -> object:
        answer = await claim(run)
        await shop.redis.xclaim(STREAM, GROUP, "another", 0, [work.entry.id])
        work.entry.tenure = None  # as `Lease.covers` finds once half of the lease has passed
        return answer

    monkeypatch.setattr(KeyedRun, "claim", late)
    assert not await work.begin()
    assert (await shop.redis.xpending(STREAM, GROUP))["consumers"] == [{"name": b"another", "pending": 1}]
