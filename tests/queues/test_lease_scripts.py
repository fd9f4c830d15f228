"""The lease protocol step by step: in whatever order the steps of several replicas are run, the living lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import permutations
from typing import Any

import pytest
from tests.support import raw_redis

from daebus.connection.scripts import Script
from daebus.queues.lease_scripts import BEAT, CONFIRM, DEPART, FIND, LEAVE, SCAN, TAKE_OVER
from daebus.queues.suspects import Suspects, alone_seconds
from daebus.queues.undelivered import OWNED
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

STREAM = "daebus:{x}:action:work"
REGISTRY = "daebus:{x}:instances"
COUNTER = "daebus:{x}:instances:fence"
LEASE = 60_000  # ms: no test lasts for so long, and time passes only where it is moved


def lease_of(name: str) -> int:
    """The lease of an instance in ms: its id ends with it."""
    return int(name.partition("-")[2] or LEASE)


class Registry:
    """A service on a real server: its instances, and what they own.

    Attributes:
        owned: The entry that each instance had in hand at first.
        left: How much the dead had left when something was taken over last.
        dead: Who was dead when somebody beat last.
        was_dead: Whether who asked last was dead.
    """

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.owned: dict[str, bytes] = {}
        self.left = 0
        self.dead: list[bytes] = []
        self.was_dead = 0

    async def run(self, script: Script, keys: Sequence[str], *args: object) -> Any:
        return await self.redis.eval(script.text, len(keys), *keys, *args)

    async def beat(self, name: str) -> float:
        """The seconds until the next heartbeat is due."""
        _, _, self.was_dead, pause, _, self.dead = await self.run(BEAT, [REGISTRY], name, lease_of(name))
        return float(pause) / 1000

    async def take(self, name: str, count: int = 10, *, suspects: bool = True) -> list[bytes]:
        """The entries that `name` takes over."""
        asked = ("daebus", name, lease_of(name), count, int(suspects), *self.owned)  # it names all; the script decides
        taken, self.left = await self.run(TAKE_OVER, [STREAM, REGISTRY, COUNTER], *asked)
        return [row[0] for row in taken]

    async def find(self, name: str, *dead: str | bytes) -> bool:
        """Whether an instance finds entries of those that it takes for dead."""
        keys = [REGISTRY, "daebus:{x}:action:other", STREAM]
        found = await self.run(FIND, keys, "daebus", name, lease_of(name), *dead)
        assert found in ([], [1], [-1])
        return bool(found == [1])

    async def scan(self, name: str) -> bool:
        """Whether an instance that looks at all consumers finds entries of the dead."""
        return bool(await self.run(SCAN, [REGISTRY, STREAM], "daebus", name, lease_of(name)) == [0])

    async def confirm(self, name: str) -> bool:
        """Whether an instance still owns what it had."""
        asked = ("daebus", name, lease_of(name), self.owned[name], 1)
        self.was_dead, owned = await self.run(CONFIRM, [STREAM, REGISTRY], *asked)
        return bool(owned)

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
            if name == b":answered" and not silent:
                await self.redis.zadd(REGISTRY, {name: score + leases * LEASE})
            elif name[:1] != b":" and (name.decode() in silent or not silent):
                await self.redis.zadd(REGISTRY, {name: score - leases * LEASE})

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


async def test_a_registry_that_comes_back_without_its_note_has_had_a_gap(registry: Registry) -> None:
    """It is made again by confirmations, and then the server hangs before anybody beats."""
    await registry.begin("a", "b")
    before = await registry.owners()
    await registry.redis.delete(REGISTRY)
    for name in ("a", "b"):
        assert await registry.confirm(name)
    assert await registry.redis.zscore(REGISTRY, ":answered") is None
    await registry.pass_time(1.1, "b")
    assert await registry.take("a") == []
    assert await registry.take("b") == []
    assert await registry.owners() == before


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


LONG, SHORT = f"a-{LEASE * 5}", f"b-{LEASE}"


async def test_an_owner_is_judged_by_its_own_lease_when_the_lease_is_changed(registry: Registry) -> None:
    await registry.begin(LONG, SHORT)
    before = await registry.owners()
    await registry.pass_time(4.9, LONG)
    assert await registry.take(SHORT) == []
    await registry.pass_time(0.9, SHORT)
    assert await registry.take(LONG) == []
    assert await registry.owners() == before
    await registry.pass_time(0.2, SHORT)
    assert await registry.take(LONG) == [registry.owned[SHORT]]
    await registry.beat(SHORT)
    await registry.pass_time(5.1, LONG)
    taken = [await registry.take(SHORT) for _ in range(2)]
    assert sorted(taken) == sorted([[registry.owned[SHORT]], [registry.owned[LONG]]])


@pytest.mark.parametrize("silence", [0.6, 2.6, 7.0])
async def test_a_gap_is_judged_for_each_owner_by_its_own_lease(registry: Registry, silence: float) -> None:
    await registry.begin(LONG, SHORT)
    before = await registry.owners()
    steps: dict[str, Step] = {
        f"{name} {what}": lambda registry, name=name, what=what: getattr(registry, what)(name)  # type: ignore[misc]
        for name in (LONG, SHORT)
        for what in ("beat", "take")
    }
    for order in permutations(steps):
        await registry.pass_time(silence)
        for step in order:
            await steps[step](registry)
        assert await registry.owners() == before, order


async def test_all_beat_by_the_least_lease_so_that_a_dead_owner_with_a_short_one_is_taken_over(
    registry: Registry,
) -> None:
    await registry.begin(LONG, SHORT)
    assert await registry.beat(LONG) == pytest.approx(LEASE / 3000, abs=0.01)
    for _ in range(3):  # only the one with the long lease lives, and beats as it is told
        await registry.pass_time(1 / 3)
        await registry.beat(LONG)
    await registry.pass_time(0.01)
    assert await registry.take(LONG) == [registry.owned[SHORT]]
    assert await registry.beat(LONG) == pytest.approx(LEASE * 5 / 3000, abs=0.01)


async def counts(registry: Registry) -> list[int]:
    pending = await registry.redis.xpending_range(STREAM, "daebus", "-", "+", 100)
    return [entry["times_delivered"] for entry in pending]


async def test_one_suspect_is_taken_at_a_time_and_those_that_were_suspected_least_often_go_first(
    registry: Registry,
) -> None:
    await registry.begin("a", "dead", "dead", "dead", "late")
    entries = [entry for entry, owner in (await registry.owners()).items() if owner == b"dead"]
    await registry.redis.xclaim(STREAM, "daebus", "dead", 0, entries[:1], retrycount=3, justid=True)
    await registry.pass_time(1.1, "dead")
    assert [await registry.take("a") for _ in range(4)] == [[entries[1]], [entries[2]], [entries[0]], []]
    assert await counts(registry) == [1, 4, 2, 2, 1]


async def test_what_was_left_in_order_is_no_suspect_and_is_taken_at_once(registry: Registry) -> None:
    await registry.begin("a", *["dead"] * 5)
    entries = [entry for entry, owner in (await registry.owners()).items() if owner == b"dead"]
    await registry.redis.xclaim(STREAM, "daebus", "dead", 0, entries[:4], retrycount=0, justid=True)
    await registry.pass_time(1.1, "dead")
    assert await registry.take("a", 3, suspects=False) == entries[:3]
    assert registry.left == 2
    assert await registry.take("a", 3, suspects=False) == entries[3:4]
    assert registry.left == 1
    assert await registry.take("a", 3) == entries[4:]
    assert registry.left == 0
    assert await counts(registry) == [1, 1, 1, 1, 1, 2]


async def test_what_was_deleted_stands_in_nobodys_way(registry: Registry) -> None:
    await registry.begin("a", "dead", "dead")
    gone, there = [entry for entry, owner in (await registry.owners()).items() if owner == b"dead"]
    await registry.redis.xdel(STREAM, gone)
    await registry.pass_time(1.1, "dead")
    assert await registry.take("a") == [there]


async def test_the_next_heartbeat_is_due_when_an_owner_may_count_as_dead(registry: Registry) -> None:
    await registry.begin("a", "b")
    assert await registry.beat("a") == pytest.approx(LEASE / 3000, abs=0.01)
    await registry.pass_time(0.75, "b")
    assert await registry.beat("a") == pytest.approx(LEASE / 4000, abs=0.1)
    assert registry.dead == []
    await registry.pass_time(0.25, "b")
    await registry.beat("a")
    assert registry.dead == [b"b"]


async def test_the_dead_are_found_where_they_own_something_and_leave_no_consumer_where_they_do_not(
    registry: Registry,
) -> None:
    await registry.begin("a", "dead", "idle")
    await registry.redis.xgroup_create("daebus:{x}:action:other", "daebus", "0", mkstream=True)
    await registry.redis.xgroup_createconsumer("daebus:{x}:action:other", "daebus", "dead")
    await registry.redis.xack(STREAM, "daebus", registry.owned["idle"])
    assert not await registry.find("a", "dead", "idle")
    assert not await registry.scan("a")
    await registry.pass_time(1.1, "dead", "idle")
    assert not await registry.find("a", "idle")
    assert await registry.find("a", "dead", "idle")
    assert await registry.redis.xinfo_consumers("daebus:{x}:action:other", "daebus") == []
    consumers = await registry.redis.xinfo_consumers(STREAM, "daebus")
    assert [consumer["name"] for consumer in consumers] == [b"a", b"dead"]
    assert await registry.scan("a")
    assert await registry.take("a") == [registry.owned["dead"]]
    assert not await registry.scan("a")
    assert not await registry.find("a", "dead", "idle")


async def test_who_is_taken_for_dead_itself_searches_for_nobody(registry: Registry) -> None:
    await registry.begin("a", "dead")
    await registry.pass_time(1.1, "a", "dead")
    assert not await registry.find("a", "dead")
    assert not await registry.scan("a")
    await registry.take("a")
    assert registry.left == -1


async def test_an_owner_that_no_registry_knows_is_found_and_gets_its_own_lease(registry: Registry) -> None:
    await registry.begin("a", LONG)
    await registry.redis.delete(REGISTRY)
    await registry.beat("a")
    assert not await registry.scan("a")
    await registry.pass_time(4.9, LONG)
    await registry.beat("a")
    assert registry.dead == []
    await registry.pass_time(0.2, LONG)
    await registry.beat("a")
    assert registry.dead == [LONG.encode()]
    assert await registry.take("a") == [registry.owned[LONG]]


async def test_who_stops_counts_as_dead_if_it_leaves_something_and_else_is_gone(registry: Registry) -> None:
    await registry.begin("a", "b", "c")
    for name, left in (("b", 0), ("c", 1)):
        await registry.run(DEPART, [REGISTRY], name, left)
    await registry.beat("a")
    assert registry.dead == [b"c"]
    assert await registry.redis.zscore(REGISTRY, "b") is None


async def test_looking_at_what_one_owns_is_no_delivery(registry: Registry) -> None:
    await registry.begin("a", "a", "b")
    own = [entry for entry, owner in (await registry.owners()).items() if owner == b"a"]
    await registry.redis.xdel(STREAM, own[1])
    for _ in range(2):
        found = await registry.run(OWNED, [STREAM, COUNTER], "daebus", "a", "-", 10)
        assert [row[:3] for row in found] == [[own[0], [b"request", b"a"], 1], [own[1], None, 1]]
    ((*last, _),) = await registry.run(OWNED, [STREAM, COUNTER], "daebus", "a", b"(" + own[0], 10)
    assert last == [own[1], None, 1]


async def test_suspects_have_their_turns_one_after_another() -> None:
    suspects = Suspects()
    first = await suspects.turn()
    waiting = asyncio.create_task(suspects.turn())
    await asyncio.sleep(0)
    assert not waiting.done()
    first.end()
    second = await waiting
    first.end()
    third = asyncio.create_task(suspects.turn())
    second.begin(alone_seconds(3))  # it has not much time alone, as it has three chances more
    await asyncio.wait_for(third, 10)
    second.end()
    last = await third
    last.begin(alone_seconds(0))
    fifth = asyncio.create_task(suspects.turn())
    await asyncio.sleep(0.3)
    assert not fifth.done()
    last.end()
    (await fifth).end()


async def test_a_thousand_instances_that_are_killed_one_after_another_leave_nothing_behind(registry: Registry) -> None:
    await registry.begin("a")
    for number in range(1000):
        await registry.beat(f"killed{number}")
        await registry.redis.xgroup_createconsumer(STREAM, "daebus", f"killed{number}")
        await registry.redis.zincrby(REGISTRY, -LEASE - 1, f"killed{number}")
        await registry.beat("a")
        assert await registry.find("a", *registry.dead) is False
        await registry.redis.zincrby(REGISTRY, -60_000, f"killed{number}")
    await registry.beat("a")
    assert await registry.redis.zrange(REGISTRY, 0, -1) == [b":answered", b":least", b"a"]
    assert [consumer["name"] for consumer in await registry.redis.xinfo_consumers(STREAM, "daebus")] == [b"a"]


async def test_the_dead_stay_members_while_they_own_something(registry: Registry) -> None:
    await registry.begin("a", "dead", "dead")
    await registry.pass_time(1.1, "dead")
    for _ in range(2):
        await registry.pass_time(0.9, "dead")
        assert await registry.take("a")
        await registry.beat("a")
        assert registry.dead == [b"dead"]
    await registry.pass_time(1.1, "dead")
    await registry.beat("a")
    assert registry.dead == []


async def test_who_stops_gives_back_what_it_has_also_where_one_of_its_streams_is_gone(registry: Registry) -> None:
    await registry.begin("a")
    await registry.run(LEAVE, ["daebus:{x}:action:gone", STREAM], "daebus", "a")
    (entry,) = await registry.redis.xpending_range(STREAM, "daebus", "-", "+", 9)
    assert entry["times_delivered"] == 0


async def test_an_owner_that_counted_as_dead_is_told_whatever_its_own_clock_says(registry: Registry) -> None:
    """The clock is set forward by less than half a lease while it is frozen, for more than half a lease."""
    await registry.begin("a", "owner")
    await registry.pass_time(0.45)
    await registry.beat("a")
    assert registry.was_dead == 0
    await registry.pass_time(0.56, "owner")
    assert await registry.take("a") == [registry.owned["owner"]]
    await registry.beat("owner")
    assert registry.was_dead == 1
    await registry.beat("owner")
    assert registry.was_dead == 0


async def test_an_owner_that_asks_before_it_beats_is_told_too(registry: Registry) -> None:
    await registry.begin("a", "owner")
    await registry.pass_time(0.45)
    await registry.pass_time(0.56, "owner")
    assert await registry.confirm("owner")
    assert registry.was_dead == 1
    assert await registry.confirm("owner")
    assert registry.was_dead == 0
    await registry.beat("owner")
    assert registry.was_dead == 0
