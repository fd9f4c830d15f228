"""Who serves what: an instance that stops says so, and callers know at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support import open_bus, until

from daebus import Action, Bus, Daebus, Settings
from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.discovery.directory import Directory
from daebus.discovery.presence import Presence
from daebus.errors import NoSuchAction, NoSuchService, Timeout
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

OLD = Action[None, str]("old", service="shop")
BOTH = Action[None, str]("both", service="shop")
SERVING = "daebus:{shop}:serving"


def shop(*actions: Action[None, str], name: str = "shop") -> Daebus:
    app = Daebus(name, settings=Settings(lease=2.0, stop_timeout=0.5))

    async def answer() -> str:
        return "done"

    for action in actions or (BOTH,):
        app.action(action)(answer)
    return app


@pytest.fixture
async def bus() -> AsyncGenerator[Bus]:
    async with Bus(private_redis_url()) as bus:
        yield bus


@pytest.fixture
async def lasting_bus() -> AsyncGenerator[Bus]:
    """A caller that never looks again, for its age alone, at what it knows."""
    async with open_bus(private_redis_url(), Timings(live=3600.0, fresh=3600.0)) as bus:
        yield bus


async def is_refused(bus: Bus, action: Action[None, str], how: type[Exception] = NoSuchService) -> bool:
    """Whether a call is; what was asked before its caller heard of the end waits for somebody who starts again."""
    try:
        await bus.call(action, timeout=0.3)
    except Timeout:
        return False
    except how:
        return True
    raise AssertionError("it was answered")


async def test_callers_hear_that_the_last_instance_stopped(lasting_bus: Bus) -> None:
    async with running(shop()):
        assert await lasting_bus.call(BOTH) == "done"
    await until(lambda: is_refused(lasting_bus, BOTH))
    with pytest.raises(NoSuchService, match=r"^No instance serves 'shop': the last one stopped \d+ s ago"):
        await lasting_bus.call(BOTH)
    async with running(shop()):
        assert await lasting_bus.call(BOTH) == "done"


async def test_whoever_asks_for_the_first_time_is_refused_at_once(bus: Bus) -> None:
    async with running(shop()):
        pass
    with pytest.raises(NoSuchService, match="the last one stopped"):
        await bus.call(BOTH)


async def test_while_another_instance_lives_nothing_is_refused(bus: Bus) -> None:
    async with running(shop()):
        for _ in range(3):
            async with running(shop()):
                await bus.call(BOTH)
            assert await bus.call(BOTH) == "done"
            async with Bus(private_redis_url()) as another:
                assert await another.call(BOTH) == "done"


async def test_an_action_that_only_the_stopped_version_had_is_gone(lasting_bus: Bus) -> None:
    async with AsyncExitStack() as replicas:
        async with running(shop(OLD, BOTH)):
            for _ in range(2):
                await replicas.enter_async_context(running(shop(BOTH)))
            for _ in range(10):
                assert await lasting_bus.call(BOTH) == "done"
            await lasting_bus.call(OLD)
        await until(lambda: is_refused(lasting_bus, OLD, NoSuchAction))
        with pytest.raises(NoSuchAction, match="has no action 'old'"):
            await lasting_bus.call(OLD)
        for _ in range(10):
            assert await lasting_bus.call(BOTH) == "done"


async def test_an_action_stays_while_any_instance_of_its_version_lives(bus: Bus) -> None:
    async with running(shop(OLD, BOTH)), running(shop(BOTH)):
        async with running(shop(OLD, BOTH)):
            await bus.call(OLD)
        async with Bus(private_redis_url()) as another:
            for each in (bus, another):
                assert await each.call(OLD) == "done"


async def test_what_was_asked_before_the_end_is_answered_after_a_restart(bus: Bus) -> None:
    app, busy = Daebus("shop", settings=Settings(lease=2.0, stop_timeout=5.0)), asyncio.Event()

    @app.action("one", concurrency=1)
    async def one(number: int) -> int:
        busy.set()
        await asyncio.sleep(0.05)
        return number

    action = Action[int, int]("one", service="shop")
    async with running(app):
        calls = [asyncio.create_task(bus.call(action, number)) for number in range(20)]
        await busy.wait()
    async with running(app):
        assert await asyncio.gather(*calls) == list(range(20))


async def test_what_is_sent_after_the_end_is_kept(bus: Bus, redis: Any) -> None:
    async with running(shop()):
        pass
    await bus.send(BOTH)
    assert await redis.xlen("daebus:{shop}:action:both") == 1


async def test_what_a_caller_did_not_hear_of_it_does_not_miss(lasting_bus: Bus, redis: Any) -> None:
    async with running(shop()):
        await lasting_bus.call(BOTH)
        # As if it had left while the caller's connection for messages was broken.
        await redis.zadd(SERVING, {":left": await redis.zscore(SERVING, "")})
        assert await lasting_bus.call(BOTH) == "done"
        for client in await redis.client_list(_type="pubsub"):
            await redis.client_kill_filter(_id=client["id"])
        await until(lambda: is_refused_or_cut(lasting_bus))


async def test_a_registry_that_was_lost_does_not_count_as_a_service_that_has_stopped(redis: Any) -> None:
    async with running(shop()), open_bus(private_redis_url(), Timings(live=1.0, fresh=0.0)) as bus:
        await bus.call(BOTH)
        await redis.delete(SERVING)
        for _ in range(3):
            assert await bus.call(BOTH) == "done"
        with pytest.raises(NoSuchService):  # the next heartbeat is not due yet
            await calls(bus, seconds=4)


async def calls(bus: Bus, *, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            await bus.call(BOTH)


async def is_refused_or_cut(bus: Bus) -> bool:
    try:
        await bus.call(BOTH, timeout=0.3)
    except NoSuchService:
        return True
    except Exception:
        return False
    return False


async def test_an_instance_that_died_is_no_reason_to_wait_for_long(node: Node, redis: Any) -> None:
    """Its heartbeats count for as long as callers count them, and no longer."""
    async with open_node(RedisServer.from_url(private_redis_url())) as other:
        dead, last = Presence(other, "shop", ["both"], 1, 60), Presence(node, "shop", ["both"], 1, 60)
        for presence in (dead, last):
            await presence.start()
        for member, score in await redis.zrange("daebus:{shop}:servers", 0, -1, withscores=True):
            if member.startswith(other.id.encode()):
                await redis.zadd("daebus:{shop}:servers", {member: score - DEFAULT_TIMINGS.live * 1000 - 1})
        await last.stop()
        with pytest.raises(NoSuchService):
            await Directory(node).require("shop", "both")
        await dead.stop()


async def test_an_instance_that_was_killed_is_not_waited_for_once_its_lease_is_over(bus: Bus, redis: Any) -> None:
    async with running(shop()):
        (me,) = await redis.zrange("daebus:{shop}:servers", 0, -1)
        await redis.zadd("daebus:{shop}:servers", {b"killed" + me[me.index(b" ") :]: (await redis.time())[0] * 1000})
        await redis.zincrby("daebus:{shop}:instances", 2_100, "")  # its lease is over: 2 s since the server was reached
    with pytest.raises(NoSuchService, match="the last one stopped"):
        await bus.call(BOTH)


async def test_an_instance_that_lives_counts_however_long_the_server_hung(bus: Bus, redis: Any) -> None:
    async with running(shop()):
        async with running(shop()):
            instances = await redis.zrange("daebus:{shop}:instances", 0, -1)
            for name in instances:
                await redis.zincrby("daebus:{shop}:instances", -60_000 if name else 60_000, name)
        assert await bus.call(BOTH) == "done"
