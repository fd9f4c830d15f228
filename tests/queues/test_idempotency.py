"""Requests with an idempotency key: who runs, who waits, and what is kept."""

from __future__ import annotations

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
from daebus.queues.retries import GROUP, Origin
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

STREAM = "daebus:{shop}:action:pay"
RUN = "daebus:{shop}:once:pay:order-17"
PARKED = "daebus:{shop}:parked:pay:order-17"
PAID = Outcome("success", msgspec.Raw(b'{"paid":3}'))


class Shop:
    """The stream of an action, and an instance that reads it."""

    def __init__(self, node: Node, redis: Any) -> None:
        self.node = node
        self.redis = redis
        self._requests = 0

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
        origin = Origin("shop", ("action", "pay"), STREAM, GROUP, STREAM, Policy(keep_replies=keep))
        return KeyedRun(self.node, origin, entry_id, request)

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
    outcome, parked = await first.store(PAID)
    assert outcome == PAID
    assert [(request.reply_to, request.request_id) for request in parked] == [
        ("caller:2", "id-2"),
        ("caller:3", "id-3"),
    ]
    assert await shop.entries() == 0
    assert not await shop.redis.exists(PARKED)
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
    _, parked = await again.store(PAID)
    assert [request.request_id for request in parked] == ["id-3"]


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
