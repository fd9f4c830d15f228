"""What becomes of entries whose handlers failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.exceptions import RedisError
from tests.clocks import open_clock
from tests.engines import Engine, free_port
from tests.support import raw_redis, until

from daebus.channels.listener_groups import ListenerError
from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.declare.policies import Policy
from daebus.errors import (
    Conflict,
    Internal,
    NoSuchAction,
    NoSuchService,
    ServiceError,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from daebus.operations.dead_letters import DeadLetters
from daebus.protocol.messages import Request
from daebus.queues.idempotency import KeyedRun, Outcome
from daebus.queues.leases import Entry
from daebus.queues.retries import GROUP, Origin, Retries
from daebus.telemetry.logs import make_logger
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORK = "daebus:{shop}:action:work"
AGAIN = "daebus:{shop}:listener:orders:shop.on_order"
ORDERS = "daebus:channel:{orders}"
REGISTRY = "daebus:{shop}:instances"
LISTENING = "daebus:channel:{orders}:instances"
DELAYED = "daebus:{shop}:retries"
DEAD = "daebus:{shop}:dead"

SLOW = Policy(retries=3, backoff=1000, max_backoff=3000)
ACTION = Origin("shop", ("action", "work"), WORK, GROUP, REGISTRY, WORK, SLOW)
LISTENER = Origin(
    "shop", ("channel", "orders", "listener", "shop.on_order"), ORDERS, "shop:shop.on_order", LISTENING, AGAIN, SLOW
)


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[Node, Retries]]:
    async with open_node(RedisServer.from_url(private_redis_url())) as node:
        node.id = "somebody"
        yield node, Retries(node, "shop", make_logger())


def flat(fields: dict[bytes, bytes]) -> list[bytes]:
    return [part for field in fields.items() for part in field]


async def delivered(redis: Any, origin: Origin, **fields: object) -> Entry:
    """An entry that somebody has read and is at work on."""
    await redis.xadd(origin.stream, fields)
    await redis.xgroup_create(origin.stream, origin.group, "0", mkstream=True)
    ((_, [(entry_id, found)]),) = await redis.xreadgroup(origin.group, "somebody", {origin.stream: ">"})
    return Entry(entry_id, flat(found))


async def delayed(redis: Any) -> tuple[list[str], int]:
    """The only entry that waits, and in how many ms it is due."""
    ((member, due),) = await redis.zrange(DELAYED, 0, -1, withscores=True)
    seconds, micros = await redis.time()
    return msgspec.json.decode(member, type=list[str]), due - seconds * 1000 - micros // 1000


@pytest.mark.parametrize(
    "problem",
    [Internal("x"), NoSuchAction("x"), NoSuchService("x"), Timeout("x"), TooManyRequests("x"), Unavailable("x")],
)
async def test_what_may_pass_waits_in_the_sorted_set(redis: Any, problem: ServiceError) -> None:
    entry = await delivered(redis, ACTION, request="{}")
    async with opened() as (_, retries):
        await retries.failed(ACTION, entry, problem, "r1")
    found, due = await delayed(redis)
    sent = entry.id.decode().partition("-")[0]
    assert found[:-1] == [WORK, entry.id.decode(), "request", "{}", "failures", "1", "sent", sent, "failed"]
    assert found[-1].isdecimal()
    assert -2000 < due <= 1_000_000
    assert await redis.xlen(WORK) == 0
    assert (await redis.xpending(WORK, GROUP))["pending"] == 0
    assert await redis.xlen(DEAD) == 0


@pytest.mark.parametrize("problem", [NoSuchService("x"), NoSuchAction("x")])
async def test_a_missing_service_is_waited_for(redis: Any, problem: ServiceError) -> None:
    """Five runs within two seconds would be over before it could have started."""
    origin = msgspec.structs.replace(ACTION, policy=Policy())
    await redis.xgroup_create(WORK, GROUP, "0", mkstream=True)
    seconds, _ = await redis.time()
    async with opened() as (_, retries):
        for number in range(20):
            await redis.xadd(WORK, {"request": number})
            ((_, [(entry_id, found)]),) = await redis.xreadgroup(GROUP, "somebody", {WORK: ">"})
            await retries.failed(origin, Entry(entry_id, flat(found)), problem, "r1")
    assert min(due for _, due in await redis.zrange(DELAYED, 0, -1, withscores=True)) >= (seconds + 5) * 1000


@pytest.mark.parametrize("problem", [Timeout("x"), TooManyRequests("x"), Unavailable("x")])
async def test_what_is_away_slow_or_full_is_given_time(redis: Any, problem: ServiceError) -> None:
    origin = msgspec.structs.replace(ACTION, policy=Policy(backoff=100.0))
    entry = await delivered(redis, ACTION, request="{}")
    async with opened() as (_, retries):
        await retries.failed(origin, entry, problem, "r1")
    _, due = await delayed(redis)
    assert 40_000 < due <= 100_000


@pytest.mark.parametrize(("failures", "longest"), [(0, 1000), (1, 2000), (2, 3000)])
async def test_pauses_grow_up_to_the_longest(redis: Any, failures: int, longest: int) -> None:
    seconds, _ = await redis.time()
    await redis.xgroup_create(WORK, GROUP, "0", mkstream=True)
    async with opened() as (_, retries):
        for number in range(30):
            await redis.xadd(WORK, {"request": number, "failures": failures})
            ((_, [(entry_id, found)]),) = await redis.xreadgroup(GROUP, "somebody", {WORK: ">"})
            await retries.failed(ACTION, Entry(entry_id, flat(found)), Internal("x"), "r1")
    dues = [due / 1000 - seconds for _, due in await redis.zrange(DELAYED, 0, -1, withscores=True)]
    assert len(dues) == 30
    assert longest / 2 < max(dues) < longest + 30


async def test_what_cannot_pass_and_what_has_failed_too_often_dies(redis: Any) -> None:
    first = await delivered(redis, ACTION, request="{}", failures="3", sent="17")
    async with opened() as (node, retries):
        await retries.failed(ACTION, first, Unavailable("away"), "r1")
        await redis.delete(WORK)
        entry = await delivered(redis, ACTION, request="{}")
        await retries.failed(ACTION, entry, Conflict("taken"), "r2")
        (_, worn), (_, refused) = await redis.xrange(DEAD)
    assert worn.pop(b"failed").isdigit()
    assert worn.pop(b"entry") == first.id
    assert worn == {
        b"service": b"shop",
        b"action": b"work",
        b"code": b"unavailable",
        b"error": b"away",
        b"deliveries": b"4",
        b"sent": b"17",
        b"instance": node.id.encode(),
        b"request_id": b"r1",
        b"request": b"{}",
    }
    assert (refused[b"code"], refused[b"deliveries"]) == (b"conflict", b"1")
    assert refused[b"sent"] == entry.id.partition(b"-")[0]
    assert await redis.xlen(WORK) == 0
    assert await redis.zcard(DELAYED) == 0


async def test_only_the_listener_that_failed_gets_the_event_again(redis: Any) -> None:
    entry = await delivered(redis, LISTENER, event="7", trace_id="t1")
    async with opened() as (_, retries):
        await retries.failed(LISTENER, entry, Internal("x"), "t1")
    found, _ = await delayed(redis)
    assert found[0] == AGAIN
    assert found[2:6] == ["event", "7", "trace_id", "t1"]
    assert await redis.xlen(ORDERS) == 1
    assert (await redis.xpending(ORDERS, LISTENER.group))["pending"] == 0


async def test_an_entry_is_settled_once_though_the_server_is_told_twice(redis: Any) -> None:
    entry = await delivered(redis, ACTION, request="{}")
    async with opened() as (_, retries):
        for problem in (Internal("x"), Internal("x"), Conflict("x")):
            await retries.failed(ACTION, entry, problem, "r1")
    assert (await redis.zcard(DELAYED), await redis.xlen(DEAD)) == (1, 0)


async def test_what_another_has_taken_over_is_left_to_it(redis: Any) -> None:
    entry = await delivered(redis, ACTION, request="{}")
    await redis.xclaim(WORK, GROUP, "another", 0, [entry.id])
    async with opened() as (_, retries):
        await retries.failed(ACTION, entry, Internal("x"), "r1")
        await retries.failed(ACTION, entry, Conflict("x"), "r1")
    assert (await redis.zcard(DELAYED), await redis.xlen(DEAD)) == (0, 0)
    assert (await redis.xpending(WORK, GROUP))["pending"] == 1


async def test_forged_counts_do_no_harm(redis: Any) -> None:
    entry = await delivered(redis, ACTION, request="{}", failures="-x", sent="9" * 400)
    async with opened() as (_, retries):
        await retries.failed(ACTION, entry, Internal("x"), "r1")
    found, _ = await delayed(redis)
    assert found[-5:-1] == ["1", "sent", entry.id.decode().partition("-")[0], "failed"]


async def test_any_replica_brings_back_what_is_due_once(redis: Any) -> None:
    number = 250
    for index in range(number):
        member = msgspec.json.encode([WORK, f"1-{index}", "request", f'{{"\xe4": {index}}}', "failures", "1"])
        await redis.zadd(DELAYED, {member: index})
    async with opened() as (_, first), opened() as (_, second):
        await first.start()
        await second.start()
        await until(lambda: _is_empty(redis))
        await asyncio.gather(first.stop(), second.stop())
    entries = [fields for _, fields in await redis.xrange(WORK)]
    assert sorted(fields[b"request"] for fields in entries) == sorted(
        f'{{"\xe4": {index}}}'.encode() for index in range(number)
    )
    assert all(fields[b"failures"] == b"1" for fields in entries)


async def test_what_is_due_later_waits(redis: Any) -> None:
    seconds, _ = await redis.time()
    late = msgspec.json.encode([WORK, "1-1", "request", "late"])
    soon = msgspec.json.encode([WORK, "1-2", "request", "soon"])
    await redis.zadd(DELAYED, {late: (seconds + 3600) * 1000, soon: (seconds + 1) * 1000})
    async with opened() as (_, retries):
        await retries.start()
        await until(lambda: redis.xlen(WORK))
        await retries.stop()
    assert [fields for _, fields in await redis.xrange(WORK)] == [{b"request": b"soon"}]
    assert await redis.zrange(DELAYED, 0, -1) == [late]


async def test_a_retry_is_later_than_the_entry_that_failed_also_if_the_clock_was_set_back(redis: Any) -> None:
    seconds, _ = await redis.time()
    failed = (seconds + 3600) * 1000
    for index, entry in enumerate((f"{failed}-7", f"{failed}-8", "0-1")):
        await redis.zadd(DELAYED, {msgspec.json.encode([AGAIN, entry, "event", str(index)]): index})
    async with opened() as (_, retries):
        await retries.start()
        await until(lambda: _is_empty(redis))
        await retries.stop()
    times = [int(entry.partition(b"-")[0]) for entry, _ in await redis.xrange(AGAIN)]
    assert times == [failed + 1] * 3


MISFITS = [
    b"no json",
    b"\xff\x00",
    b"7",
    b"{}",
    b"[]",
    b'["stream", "1-1"]',
    b'["stream", "1-1", "request"]',
    b'["stream", "1-1", "request", {}]',
    msgspec.json.encode(["stream", *["x"] * 9_999]),
    b"[" * 2_000,
    b'["daebus:{shop}:text", "1-1", "request", "its stream is none"]',
]


async def test_members_that_are_no_retries_do_not_hold_up_the_others(
    redis: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await redis.set("daebus:{shop}:text", "text")
    await redis.zadd(DELAYED, {member: number for number, member in enumerate(MISFITS)})
    await redis.zadd(DELAYED, {msgspec.json.encode([WORK, "1-1", "request", "mine"]): 100})
    async with opened() as (_, first), opened() as (node, second):
        await first.start()
        await second.start()
        await until(lambda: redis.xlen(WORK))
        await until(lambda: _is_empty(redis))
        await asyncio.gather(first.stop(), second.stop())
        assert [fields async for fields in _fields(redis, WORK)] == [{b"request": b"mine"}]
        letters = [letter async for letter in DeadLetters(node, "shop").all()]
        assert {letter.body for letter in letters} == set(MISFITS)
        assert {letter.code for letter in letters} == {"bad_request"}
        with pytest.raises(ListenerError, match="It is no message"):
            await DeadLetters(node, "shop").replay(letters[0])
    assert len(letters) == len([line for line in caplog.messages if "that is no retry" in line]) == len(MISFITS)


async def _fields(redis: Any, stream: str) -> AsyncIterator[dict[bytes, bytes]]:
    for _, fields in await redis.xrange(stream):
        yield fields


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("clocked")) as engine:
        yield engine


@pytest.mark.parametrize("hours", [-1, 1])
async def test_retries_keep_their_time_when_the_clock_of_the_server_is_set(
    clocked: Engine, hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that were put off after the clock was set stand beside those from before."""
    pauses = {"soon": 60, "later": 600, "after": 30}

    def told() -> list[str]:
        return [line for line in caplog.messages if line.startswith("the clock of the server was set: retries")]

    async def add(redis: Any, name: str) -> None:
        due = (await _now(redis) + pauses[name]) * 1000
        await redis.zadd(DELAYED, {msgspec.json.encode([WORK, "1-1", "request", name]): due})

    async with (
        open_clock(clocked) as clock,
        raw_redis(clock.url) as redis,
        open_node(RedisServer.from_url(clock.url)) as node,
        open_node(RedisServer.from_url(clock.url)) as other,
    ):
        await redis.flushall()
        began = asyncio.get_running_loop().time()
        movers = [Retries(each, "shop", make_logger()) for each in (node, other)]
        for mover in movers:
            await mover.start()
        await add(redis, "soon")
        await add(redis, "later")
        await until(lambda: redis.exists(f"{DELAYED}:clock"))
        clock.step(3600 * hours)
        await until(told)
        await add(redis, "after")
        await asyncio.gather(*(mover.stop() for mover in movers))
        waits = {
            msgspec.json.decode(member, type=list[str])[3]: due / 1000 - await _now(redis)
            for member, due in await redis.zrange(DELAYED, 0, -1, withscores=True)
        }
        passed = asyncio.get_running_loop().time() - began
        assert waits.keys() == pauses.keys()
        assert all(pauses[name] - passed - 5 < wait < pauses[name] + 5 for name, wait in waits.items()), waits
    assert len(told()) == 1


async def test_a_retry_keeps_its_time_if_the_clock_is_set_back_before_anybody_has_looked_at_it(clocked: Engine) -> None:
    soon = msgspec.structs.replace(ACTION, policy=Policy(retries=3, backoff=0.2, max_backoff=0.2))
    async with (
        open_clock(clocked) as clock,
        raw_redis(clock.url) as redis,
        open_node(RedisServer.from_url(clock.url)) as node,
    ):
        await redis.flushall()
        node.id = "somebody"
        retries = Retries(node, "shop", make_logger())
        await retries.failed(soon, await delivered(redis, ACTION, request="{}"), Internal("x"), "r1")
        clock.step(-3600)
        await retries.start()
        await until(lambda: redis.xlen(WORK))
        await retries.stop()


async def test_a_retry_that_is_due_soon_after_the_clock_was_set_forward_is_not_put_off(clocked: Engine) -> None:
    async with (
        open_clock(clocked) as clock,
        raw_redis(clock.url) as redis,
        open_node(RedisServer.from_url(clock.url)) as node,
    ):
        await redis.flushall()
        retries = Retries(node, "shop", make_logger())
        await redis.zadd(
            DELAYED, {msgspec.json.encode([WORK, "1-1", "request", "late"]): (await _now(redis) + 600) * 1000}
        )
        await retries.start()
        await until(lambda: redis.exists(f"{DELAYED}:clock"))
        clock.step(3600)
        await redis.zadd(DELAYED, {msgspec.json.encode([WORK, "1-1", "request", "soon"]): await _now(redis) * 1000})
        await until(lambda: redis.xlen(WORK))
        await retries.stop()


async def _now(redis: Any) -> float:
    seconds, micros = await redis.time()
    return float(seconds + micros / 1_000_000)


async def test_all_of_it_works_on_a_cluster(tmp_path: Path) -> None:
    with Engine(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as engine:
        async with raw_redis(engine.url) as redis:
            await redis.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            await until(lambda: serves(redis))
            action = await delivered(redis, ACTION, request="{}")
            event = await delivered(redis, LISTENER, event="7", trace_id="t1")
            async with open_node(RedisServer.from_url(f"redis+cluster://127.0.0.1:{engine.port}")) as node:
                node.id = "somebody"
                retries = Retries(node, "shop", make_logger())
                await retries.failed(ACTION, action, Internal("x"), "r1")
                await retries.failed(LISTENER, event, Conflict("x"), "t1")
                assert (await redis.xpending(ORDERS, LISTENER.group))["pending"] == 0
                for member in await redis.zrange(DELAYED, 0, -1):
                    await redis.zadd(DELAYED, {member: 1})
                await retries.start()
                await until(lambda: redis.xlen(WORK))
                await retries.stop()
                letters = DeadLetters(node, "shop")
                assert [await letters.replay(letter) async for letter in letters.all()] == [True]
                request = Request("work", idempotency_key="k")
                ids = [await redis.xadd(WORK, {"request": "{}"}) for _ in range(2)]
                await redis.xreadgroup(GROUP, "somebody", {WORK: ">"})
                run, late = [KeyedRun(node, ACTION, Entry(entry_id, []), request) for entry_id in ids]
                assert await run.claim() == "mine"
                await run.store(Outcome("success", msgspec.Raw(b"1")))
                assert await late.claim() == Outcome("success", msgspec.Raw(b"1"))
            assert await redis.xlen(AGAIN) == 1


async def serves(redis: Any) -> bool:
    try:
        return bool(await redis.set("probe", 1))
    except RedisError:
        return False


async def _is_empty(redis: Any) -> bool:
    return not await redis.zcard(DELAYED)
