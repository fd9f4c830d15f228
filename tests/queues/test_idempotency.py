"""Requests with an idempotency key: who runs, who waits, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.support import raw_redis

from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.declare.policies import Policy
from daebus.errors import Conflict
from daebus.protocol.messages import Request
from daebus.queues.idempotency import KeyedRun, Outcome
from daebus.queues.leases import Entry
from daebus.queues.retries import GROUP, Origin
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

STREAM = "daebus:{shop}:action:pay"
REGISTRY = "daebus:{shop}:instances"
COUNTER = "daebus:{shop}:instances:fence"
RUN = "daebus:{shop}:once:pay:order-17"
PARKED = "daebus:{shop}:parked:pay:order-17"
PAID = Outcome("success", msgspec.Raw(b'{"paid":3}'))


def stored(kept: tuple[Outcome, list[Request]] | None) -> tuple[Outcome, list[Request]]:
    """What was stored; it has to be."""
    assert kept is not None
    return kept


class Shop:
    """The stream of an action, and an instance that reads it."""

    def __init__(self, node: Node, redis: Any) -> None:
        self.node = node
        self.redis = redis
        self._requests = 0
        self._read: dict[KeyedRun, tuple[Entry, Request]] = {}

    async def request(self, payload: bytes = b'{"a":1,"b":2}', *, keep: float = 60.0) -> KeyedRun:
        """One more request with the same key, sent and read."""
        self._requests += 1
        number = self._requests
        body = Request("pay", msgspec.Raw(payload), f"caller:{number}", f"id-{number}", idempotency_key="order-17")
        await self.redis.xadd(STREAM, {"request": msgspec.json.encode(body)})
        return await self.read(keep=keep)

    async def read(self, *, keep: float = 60.0) -> KeyedRun:
        """The next request."""
        ((_, [(entry_id, fields)]),) = await self.redis.xreadgroup("daebus", "somebody", {STREAM: ">"}, count=1)
        request = msgspec.json.decode(fields[b"request"], type=Request)
        run = KeyedRun(self.node, self._origin(keep), Entry(entry_id, [], 1), request)
        self._read[run] = Entry(entry_id, [], 1), request
        return run

    async def taken_over(self, run: KeyedRun, node: Node) -> KeyedRun:
        """The same request in the hands of another instance, or of the same one a second time."""
        entry, request = self._read[run]
        await self.redis.xclaim(STREAM, "daebus", node.id, 0, [entry.id])
        ((found),) = await self.redis.xpending_range(STREAM, "daebus", entry.id, entry.id, 1)
        again = Entry(entry.id, [], found["times_delivered"])
        heir = KeyedRun(node, self._origin(60.0), again, request)
        self._read[heir] = again, request
        return heir

    def _origin(self, keep: float) -> Origin:
        return Origin("shop", ("action", "pay"), STREAM, GROUP, REGISTRY, STREAM, Policy(keep_replies=keep))

    async def entries(self) -> int:
        assert (await self.redis.xpending(STREAM, "daebus"))["pending"] == await self.redis.xlen(STREAM)
        return int(await self.redis.xlen(STREAM))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    url = private_redis_url()
    async with open_node(RedisServer.from_url(url)) as node, raw_redis(url) as redis:
        node.id = "somebody"
        await redis.xgroup_create(STREAM, "daebus", "0", mkstream=True)
        yield Shop(node, redis)


async def test_the_first_runs_and_the_others_are_told_what_it_came_to(shop: Shop) -> None:
    first, second, third = [await shop.request() for _ in range(3)]
    assert await first.claim() == "mine"
    assert await second.claim() == "parked"
    assert await third.claim() == "parked"
    assert await shop.entries() == 1
    for _ in range(2):  # the answer of the server may be lost
        outcome, parked = stored(await first.store(PAID))
        assert outcome == PAID
        assert [(request.reply_to, request.request_id) for request in parked] == [
            ("caller:2", "id-2"),
            ("caller:3", "id-3"),
        ]
    assert await shop.entries() == 0
    assert 0 < await shop.redis.pttl(PARKED) <= 60_000
    late = await shop.request()
    assert await late.claim() == PAID


async def test_the_same_key_with_another_payload_is_a_conflict(shop: Shop) -> None:
    first, second = await shop.request(), await shop.request(b'{"a":1,"b":3}')
    await first.claim()
    with pytest.raises(Conflict, match=r"'order-17' was used for shop\.pay with another payload"):
        await second.claim()
    await first.store(PAID)
    with pytest.raises(Conflict):
        await second.claim()
    assert await shop.entries() == 1


async def test_the_order_of_keys_makes_no_other_payload(shop: Shop) -> None:
    first, second = await shop.request(), await shop.request(b' { "b" : 2, "a": 1 } ')
    assert await first.claim() == "mine"
    assert await second.claim() == "parked"


async def test_who_takes_the_entry_over_has_the_key(shop: Shop) -> None:
    first = await shop.request()
    assert await first.claim() == "mine"
    assert await first.claim() == "mine"


async def test_who_is_parked_is_so_once(shop: Shop) -> None:
    first, second = await shop.request(), await shop.request()
    await first.claim()
    assert await second.claim() == "parked"
    assert await second.claim() == "parked"
    assert await shop.redis.llen(PARKED) == 1


async def test_where_a_run_fails_the_next_one_runs(shop: Shop) -> None:
    first, second, third = [await shop.request() for _ in range(3)]
    for run in (first, second, third):
        await run.claim()
    await first.release()
    await first.release()
    again = await shop.read()
    assert await again.claim() == "mine"
    _, parked = stored(await again.store(PAID))
    assert [request.request_id for request in parked] == ["id-3"]


async def test_an_owner_that_wakes_up_after_the_take_over_ends_nothing(shop: Shop) -> None:
    stale = await shop.request()
    waiting = await shop.request()
    assert await stale.claim() == "mine"
    assert await waiting.claim() == "parked"
    async with open_node(RedisServer.from_url(private_redis_url())) as other:
        heir = await shop.taken_over(stale, other)
        assert await stale.store(Outcome("success", msgspec.Raw(b'"first"'))) is None, "before the heir has the key"
        assert await heir.claim() == "mine"
        assert heir.drawn > stale.drawn > 0
        assert await stale.claim() == "lost"
        assert await stale.store(Outcome("success", msgspec.Raw(b'"first"'))) is None
        await stale.release()
        outcome, parked = stored(await heir.store(PAID))
    assert (outcome, [request.request_id for request in parked]) == (PAID, ["id-2"])
    assert await stale.store(Outcome("success", msgspec.Raw(b'"first"'))) is None, "nor after it has ended"
    assert await (await shop.request()).claim() == PAID


async def test_an_owner_that_got_its_entry_a_second_time_ends_it_once(shop: Shop) -> None:
    stale = await shop.request()
    assert await stale.claim() == "mine"
    async with open_node(RedisServer.from_url(private_redis_url())) as other:
        await shop.taken_over(stale, other)
        again = await shop.taken_over(stale, shop.node)
    assert await again.claim() == "mine"
    assert await stale.store(Outcome("success", msgspec.Raw(b"1"))) is None
    assert stored(await again.store(PAID))[0] == PAID


async def test_each_run_for_a_key_has_a_larger_number_also_if_the_counter_was_lost(shop: Shop) -> None:
    drawn = list[int]()
    for number in range(4):
        run = await shop.request()
        assert await run.claim() == "mine"
        drawn.append(run.drawn)
        await run.release()
        await shop.redis.xtrim(STREAM, maxlen=0)
        if number == 1:
            await shop.redis.delete(COUNTER)
            await asyncio.sleep(0.002)  # the clock goes on
    assert drawn == sorted(set(drawn))


async def test_who_has_lost_the_entry_frees_no_key(shop: Shop) -> None:
    first, second = await shop.request(), await shop.request()
    await first.claim()
    await second.claim()
    ((_, [(entry_id, _)]),) = await shop.redis.xread({STREAM: "0"}, count=1)
    await shop.redis.xclaim(STREAM, "daebus", "another", 0, [entry_id])
    await first.release()
    assert await shop.redis.llen(PARKED) == 1
    await shop.redis.delete(STREAM)
    await first.release()


async def test_where_a_run_fails_alone_the_key_is_free(shop: Shop) -> None:
    first = await shop.request()
    await first.claim()
    await first.release()
    assert not await shop.redis.exists(RUN)
    assert await (await shop.request(b"3")).claim() == "mine"


async def test_a_key_whose_entry_is_gone_is_free(shop: Shop) -> None:
    first, second = await shop.request(), await shop.request()
    await first.claim()
    await shop.redis.xtrim(STREAM, maxlen=1, approximate=False)
    assert await second.claim() == "mine"
    await first.release()
    assert await second.claim() == "mine"


async def test_the_first_of_two_ends_counts(shop: Shop) -> None:
    first = await shop.request()
    await first.claim()
    await first.store(PAID)
    assert await first.store(Outcome("error", msgspec.Raw(b"{}"))) == (PAID, [])


async def test_what_is_kept_is_kept_for_as_long_as_is_said_and_a_run_for_longer(shop: Shop) -> None:
    first, second = await shop.request(keep=5), await shop.request(keep=5)
    await first.claim()
    await second.claim()
    assert await shop.redis.pttl(RUN) > 3_600_000
    assert await shop.redis.pttl(PARKED) > 3_600_000
    await first.store(PAID)
    assert 0 < await shop.redis.pttl(RUN) <= 5_000
