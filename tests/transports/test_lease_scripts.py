"""The lease protocol step by step: in whatever order the steps of several replicas are run, the living lose nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import permutations
from typing import Any

import pytest
from tests.support import raw_redis

from daebus.testing import private_redis_url
from daebus.transports.lease_scripts import BEAT, CONFIRM, TAKE_OVER
from daebus.transports.scripts import Script

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

STREAM = "daebus:{x}:action:work"
REGISTRY = "daebus:{x}:instances"
LEASE = 60_000  # ms: no test lasts for so long, and time passes only where it is moved


class Registry:
    """A service on a real server: its instances, and what they own.

    Attributes:
        owned: The entry that each instance had in hand at first.
    """

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.owned: dict[str, bytes] = {}

    async def run(self, script: Script, keys: Sequence[str], *args: object) -> Any:
        return await self.redis.eval(script.text, len(keys), *keys, *args)

    async def beat(self, name: str) -> None:
        await self.run(BEAT, [REGISTRY], name, LEASE)

    async def take(self, name: str, count: int = 10) -> list[bytes]:
        """The entries that `name` takes over."""
        taken, _ = await self.run(TAKE_OVER, [STREAM, REGISTRY], "daebus", name, LEASE, count)
        return [row[0] for row in taken]

    async def confirm(self, name: str) -> bool:
        """Whether an instance still owns what it had."""
        asked = ("daebus", name, LEASE, self.owned[name])
        return bool(await self.run(CONFIRM, [STREAM, REGISTRY], *asked) == 1)

    async def begin(self, *names: str) -> None:
        """Instances that have beaten, with an entry in hand each."""
        await self.redis.xgroup_create(STREAM, "daebus", "0", mkstream=True)
        for name in names:
            await self.beat(name)
            await self.redis.xadd(STREAM, {"request": name})
            ((_, ((entry, _),)),) = await self.redis.xreadgroup("daebus", name, {STREAM: ">"}, count=1)
            self.owned[name] = entry

    async def pass_time(self, leases: float, *silent: str) -> None:
        """So much time passes in which only instances that are not `silent` beat; all are, where none is named."""
        for name, score in await self.redis.zrange(REGISTRY, 0, -1, withscores=True):
            if name.decode() in silent or not silent or not name:
                earlier = score - leases * LEASE if name else score + leases * LEASE
                await self.redis.zadd(REGISTRY, {name: earlier})

    async def owners(self) -> dict[bytes, bytes]:
        found = await self.redis.xpending_range(STREAM, "daebus", "-", "+", 100)
        return {entry["message_id"]: entry["consumer"] for entry in found}


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with raw_redis(private_redis_url()) as redis:
        yield Registry(redis)


Step = Callable[[Registry], Awaitable[object]]

STEPS: dict[str, Step] = {
    "a beats": lambda registry: registry.beat("a"),
    "b beats": lambda registry: registry.beat("b"),
    "a takes over": lambda registry: registry.take("a"),
    "b takes over": lambda registry: registry.take("b"),
    "a confirms": lambda registry: registry.confirm("a"),
}


@pytest.mark.parametrize("silence", [1.1, 5.0])
async def test_in_whatever_order_the_queue_of_a_hung_server_is_run_nobody_loses_anything(
    registry: Registry, silence: float
) -> None:
    await registry.begin("a", "b")
    before = await registry.owners()
    for order in permutations(STEPS):
        await registry.pass_time(silence)
        for step in order:
            await STEPS[step](registry)
        assert await registry.owners() == before, order


async def test_who_does_not_beat_within_a_lease_after_a_gap_is_taken_over(registry: Registry) -> None:
    await registry.begin("a", "dead")
    await registry.pass_time(3)
    assert await registry.take("a") == []
    await registry.beat("a")
    await registry.pass_time(0.9, "dead")
    assert await registry.take("a") == []
    await registry.pass_time(0.2, "dead")
    assert await registry.take("a") == [registry.owned["dead"]]
    assert await registry.take("a") == []
    assert [consumer["name"] for consumer in await registry.redis.xinfo_consumers(STREAM, "daebus")] == [b"a"]


async def test_a_pause_that_is_shorter_than_half_a_lease_delays_nothing(registry: Registry) -> None:
    await registry.begin("a", "dead")
    await registry.pass_time(1.1, "dead")
    await registry.pass_time(0.4)
    assert await registry.take("a") == [registry.owned["dead"]]


async def test_who_is_taken_for_dead_itself_takes_nothing(registry: Registry) -> None:
    await registry.begin("a", "b", "dead")
    await registry.pass_time(2, "a", "dead")
    assert await registry.take("a") == []
    assert await registry.take("b") + await registry.take("b") == [registry.owned["a"], registry.owned["dead"]]


async def test_a_registry_that_was_lost_begins_with_a_lease_for_everybody(registry: Registry) -> None:
    await registry.begin("a", "b")
    before = await registry.owners()
    for order in permutations(STEPS):
        await registry.redis.delete(REGISTRY)
        for step in order:
            await STEPS[step](registry)
        assert await registry.owners() == before, order
    await registry.pass_time(1.1, "b")
    assert await registry.take("a") == [registry.owned["b"]]


async def test_a_clock_that_was_set_takes_nothing_from_the_living_and_gives_the_dead_a_lease_more(
    registry: Registry,
) -> None:
    await registry.begin("a", "b")
    before = await registry.owners()
    for leases in (-60.0, 60.0, 0.7, -0.7):  # time that passes backwards is a clock that was set back, and reversely
        for order in permutations(STEPS):
            await registry.pass_time(leases)
            for step in order:
                await STEPS[step](registry)
            assert await registry.owners() == before, (leases, order)
    await registry.pass_time(-60)
    await registry.beat("a")
    await registry.pass_time(1.1, "b")
    assert await registry.take("a") == [registry.owned["b"]]
