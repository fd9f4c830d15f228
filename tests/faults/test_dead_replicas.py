"""Replicas that die, or seem to, and the calls that they had in hand."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Service, launched
from tests.support import raw_redis, until

from daebus import Action, Bus, Context, Daebus, Settings
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORKER = """
import asyncio, ctypes, os
from daebus import Daebus, Settings
from redis.asyncio import Redis

settings = {"lease": float(os.environ["LEASE"])} if os.environ["LEASE"] else {}
app = Daebus("plain", settings=Settings(**settings))

@app.action("hang_once")
async def hang_once(*, redis: Redis) -> int:
    if await redis.rpush("begun", os.getpid()) == 1:
        await asyncio.sleep(3600)
    return os.getpid()

@app.action("hold_once")
async def hold_once(*, redis: Redis) -> int:
    if await redis.rpush("begun", os.getpid()) == 1:
        ctypes.PyDLL(None).usleep(3_000_000)  # it keeps the GIL
    return os.getpid()

app.run(service="plain")
"""

LAPSED = "cut off for longer than its lease: others may have taken over its messages in flight"
HANG = Action[None, int]("hang_once", service="plain")
HOLD = Action[None, int]("hold_once", service="plain")


@contextmanager
def two_replicas(folder: Path, lease: str = "") -> Generator[dict[int, Service]]:
    """By process id."""
    program = folder / "worker.py"
    program.write_text(WORKER)
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                launched(sys.executable, str(program), cwd=folder, DAEBUS_REDIS_URL=private_redis_url(), LEASE=lease)
            )
            for _ in range(2)
        ]
        for service in started:
            service.wait_for("service started")
        yield {service.process.pid: service for service in started}


async def test_by_default_a_call_whose_replica_was_killed_is_answered_by_another_one(tmp_path: Path) -> None:
    url = private_redis_url()
    async with raw_redis(url) as redis, Bus(url) as bus:
        with two_replicas(tmp_path) as replicas:
            await asyncio.sleep(6.5)  # each may take over what the dead leave
            answer = asyncio.create_task(bus.call(HANG))
            await until(lambda: redis.exists("begun"))
            doomed = int(await redis.lindex("begun", 0))
            os.kill(doomed, signal.SIGKILL)
            assert await answer in replicas.keys() - {doomed}
        assert await redis.llen("begun") == 2


async def test_who_holds_the_gil_for_longer_than_a_lease_may_see_its_work_done_twice_and_that_is_told(
    tmp_path: Path,
) -> None:
    url = private_redis_url()
    async with raw_redis(url) as redis, Bus(url) as bus:
        with two_replicas(tmp_path, lease="1") as replicas:
            await asyncio.sleep(1.5)
            answer = await bus.call(HOLD, timeout=20)
            begun = [int(pid) for pid in await redis.lrange("begun", 0, -1)]
            assert answer in replicas
            assert len(begun) == len(set(begun)) == 2
            assert answer == begun[1]
            await replicas[answer].logged("entry of a dead instance taken over")
            await replicas[begun[0]].logged(LAPSED)
            await until(lambda: _is_empty(redis, "daebus:{plain}:action:hold_once"))
        assert await redis.llen("begun") == 2


async def test_thousands_that_the_dead_had_in_hand_are_soon_done() -> None:
    total, done = 2_000, set[int]()
    app = Daebus("heir", settings=Settings(lease=0.5))

    @app.action("work")
    async def work(number: int) -> None:
        done.add(number)

    async with raw_redis(private_redis_url()) as redis:
        stream = "daebus:{heir}:action:work"
        await redis.xgroup_create(stream, "daebus", "0", mkstream=True)
        for number in range(total):
            await redis.xadd(stream, {"request": f'{{"action": "work", "payload": {number}}}'})
        await redis.xreadgroup("daebus", "dead", {stream: ">"}, count=total)
        async with running(app):
            await until(lambda: done == {*range(total)}, 60)
            await until(lambda: _is_empty(redis, stream))


async def test_few_long_ones_do_not_wait_for_each_other_to_end() -> None:
    begun = set[int]()
    app = Daebus("heir", settings=Settings(lease=0.5, stop_timeout=0.1))

    @app.action("work")
    async def work(number: int) -> None:
        begun.add(number)
        await asyncio.sleep(3600)

    async with raw_redis(private_redis_url()) as redis:
        stream = "daebus:{heir}:action:work"
        await redis.xgroup_create(stream, "daebus", "0", mkstream=True)
        for number in range(5):
            await redis.xadd(stream, {"request": f'{{"action": "work", "payload": {number}}}'})
        await redis.xreadgroup("daebus", "dead", {stream: ">"})
        async with running(app):
            await until(lambda: begun == {*range(5)})
            counts = [entry["times_delivered"] for entry in await redis.xpending_range(stream, "daebus", "-", "+", 9)]
        assert counts == [2] * 5
        left = [entry["times_delivered"] for entry in await redis.xpending_range(stream, "daebus", "-", "+", 9)]
        assert left == [1] * 5


async def test_calls_that_the_dead_had_in_hand_are_begun_before_their_callers_give_up() -> None:
    """Streams too, which do not end: whoever reads one gives up after 20 s of silence."""
    total, begun, answered = 30, set[int](), set[int]()
    app = Daebus("heir", settings=Settings(lease=0.5, stop_timeout=0.1))

    @app.action("work")
    async def work(number: int) -> int:
        begun.add(number)
        await asyncio.sleep(3600 if number >= total // 2 else 1)
        answered.add(number)
        return number

    async with raw_redis(private_redis_url()) as redis:
        stream = "daebus:{heir}:action:work"
        await redis.xgroup_create(stream, "daebus", "0", mkstream=True)
        for number in range(total):
            request = {
                "action": "work",
                "payload": number,
                "reply_to": "daebus:reply:somebody",
                "request_id": str(number),
            }
            if number < total // 2:
                request["deadline"] = int(time.time() * 1000) + 10_000
            await redis.xadd(stream, {"request": json.dumps(request)})
        await redis.xreadgroup("daebus", "dead", {stream: ">"})
        async with running(app):
            await until(lambda: begun == {*range(total)})
            assert answered >= {*range(total // 2)}


@pytest.mark.parametrize("concurrency", [None, 7], ids=["one reader", "two readers"])
async def test_suspects_of_one_action_do_not_wait_for_all_of_another(concurrency: int | None) -> None:
    begun = list[str]()
    app = Daebus("heir", settings=Settings(lease=0.5, stop_timeout=0.1))

    async def work(context: Context) -> None:
        begun.append(context.handler)
        await asyncio.sleep(3600)

    app.action("first")(work)
    app.action("second", concurrency=concurrency)(work)
    async with raw_redis(private_redis_url()) as redis:
        for name in ("first", "second"):
            stream = f"daebus:{{heir}}:action:{name}"
            await redis.xgroup_create(stream, "daebus", "0", mkstream=True)
            for _ in range(6):
                await redis.xadd(stream, {"request": json.dumps({"action": name, "payload": None})})
            await redis.xreadgroup("daebus", "dead", {stream: ">"})
        async with running(app):
            await until(lambda: len(begun) == 12)
    assert len(set(begun[:4])) == 2


async def _is_empty(redis: Any, stream: str) -> bool:
    return bool(await redis.xlen(stream) == 0)
