"""What becomes of an instance's work when the instance dies, sleeps or is only slow; with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.preloaded import Forked
from tests.processes import launched
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORKER = """
import asyncio, os, time
import msgspec
from daebus import Channel, Daebus, Settings
from redis.asyncio import Redis

class Event(msgspec.Struct):
    number: int

app = Daebus("worker", settings=Settings(lease=1.0, max_concurrency=8))
name = os.environ["WORKER"]

async def note(redis, what, number):
    await redis.rpush("notes", f"{what} {name} {number}")

@app.action("work")
async def work(number: int, *, redis: Redis) -> None:
    await note(redis, "begin", number)
    await asyncio.sleep(0.1)
    await note(redis, "end", number)

@app.action("block")
async def block(number: int, *, redis: Redis) -> None:
    await note(redis, "begin", number)
    time.sleep(3)
    await note(redis, "end", number)

@app.action("poison")
async def poison(number: int, *, redis: Redis) -> None:
    await note(redis, "begin", number)
    os._exit(1)

@app.listen(Channel[Event]("events", durable=True))
async def on_event(event: Event, *, redis: Redis) -> None:
    await note(redis, "begin", event.number)
    await asyncio.sleep(0.1)
    await note(redis, "end", event.number)

app.run(service="worker")
"""

WORK = Action[int, None]("work", service="worker")
BLOCK = Action[int, None]("block", service="worker")
POISON = Action[int, None]("poison", service="worker")
EVENTS = Channel[dict[str, int]]("events", durable=True)


@asynccontextmanager
async def worker(folder: Path, name: str) -> AsyncGenerator[subprocess.Popen[bytes] | Forked]:
    """One replica, in a process of its own, that takes work already."""
    program = folder / "worker.py"
    program.write_text(WORKER)
    url = os.environ["DAEBUS_REDIS_URL"]
    with launched(sys.executable, str(program), cwd=folder, WORKER=name, DAEBUS_REDIS_URL=url) as service:
        await until(lambda: service.lines("service started"), 60)
        try:
            yield service.process
        finally:
            service.process.send_signal(signal.SIGCONT)


async def notes(redis: Any) -> Mapping[str, list[int]]:
    """What the replicas wrote down: the numbers by ``begin NAME`` and ``end NAME``."""
    found: dict[str, list[int]] = {}
    for note in await redis.lrange("notes", 0, -1):
        key, _, number = note.decode().rpartition(" ")
        found.setdefault(key, []).append(int(number))
    return found


async def ended(redis: Any) -> set[int]:
    return {number for key, numbers in (await notes(redis)).items() if key.startswith("end") for number in numbers}


async def test_the_work_of_a_killed_instance_is_taken_over(tmp_path: Path) -> None:
    total = 60
    async with raw_redis(private_redis_url()) as redis, Bus(private_redis_url()) as bus:
        async with worker(tmp_path, "a") as doomed, worker(tmp_path, "b"):
            for number in range(total):
                await bus.send(WORK, number)
                await bus.publish(EVENTS, {"number": 1000 + number})

            async def doomed_is_at_work() -> bool:
                return len((await notes(redis)).get("begin a", [])) > 5

            await until(doomed_is_at_work)
            doomed.kill()
            everything = {*range(total), *range(1000, 1000 + total)}

            async def all_done() -> bool:
                return await ended(redis) == everything

            await until(all_done, 15)

            async def all_settled() -> bool:
                return not await redis.xlen("daebus:{worker}:action:work")

            await until(all_settled)
        lost_in_flight = set((await notes(redis))["begin a"]) - set((await notes(redis)).get("end a", []))
        runs = Counter(number for key, found in (await notes(redis)).items() if key[0] == "e" for number in found)
        assert {number for number, count in runs.items() if count > 1} <= lost_in_flight
        assert [consumer["name"] for consumer in await redis.xinfo_consumers("daebus:{worker}:action:work", "daebus")]


async def test_a_slow_handler_whose_owner_lives_runs_once_though_it_blocks_the_loop(tmp_path: Path) -> None:
    async with raw_redis(private_redis_url()) as redis, Bus(private_redis_url()) as bus:
        async with worker(tmp_path, "a"), worker(tmp_path, "b"):
            await bus.send(BLOCK, 1)

            async def done() -> bool:
                return await ended(redis) == {1}

            await until(done, 10)
        begun = [key for key in await notes(redis) if key.startswith("begin")]
        assert len(begun) == 1


async def test_a_frozen_owner_that_wakes_up_starts_nothing_that_was_taken_from_it(tmp_path: Path) -> None:
    async with raw_redis(private_redis_url()) as redis, Bus(private_redis_url()) as bus:
        async with worker(tmp_path, "a") as frozen:

            async def reading() -> bool:
                return bool((await redis.info("clients"))["blocked_clients"] == 3)

            await until(reading)
            frozen.send_signal(signal.SIGSTOP)
            # The server has a blocked reader: it hands the entry over to somebody who does not look.
            for number in range(4):
                await bus.send(WORK, number)

            async def handed_over() -> bool:
                return bool((await redis.xpending("daebus:{worker}:action:work", "daebus"))["pending"])

            await until(handed_over)
            async with worker(tmp_path, "b"):

                async def done() -> bool:
                    return await ended(redis) == {0, 1, 2, 3}

                await until(done, 10)
                frozen.send_signal(signal.SIGCONT)
                await bus.send(WORK, 4)
                await bus.send(WORK, 5)

                async def all_done() -> bool:
                    return await ended(redis) == {0, 1, 2, 3, 4, 5}

                await until(all_done, 10)
        assert not set((await notes(redis)).get("begin a", [])) & {0, 1, 2, 3}


async def test_what_kills_every_instance_goes_to_the_dead_letters(tmp_path: Path) -> None:
    async with raw_redis(private_redis_url()) as redis, Bus(private_redis_url()) as bus:
        await bus.send(POISON, 1)
        for _ in range(6):
            async with worker(tmp_path, "a") as process:

                async def dead(process: subprocess.Popen[bytes] | Forked = process) -> bool:
                    return process.poll() is not None or bool(await redis.xlen("daebus:{worker}:dead"))

                await until(dead, 10)
            if await redis.xlen("daebus:{worker}:dead"):
                break
        ((_, letter),) = await redis.xrange("daebus:{worker}:dead")
        assert b"delivered 5 times" in letter[b"error"]
        assert len((await notes(redis))["begin a"]) == 5


async def test_an_instance_that_stops_in_order_leaves_no_trace(tmp_path: Path) -> None:
    async with raw_redis(private_redis_url()) as redis, Bus(private_redis_url()) as bus:
        async with worker(tmp_path, "a") as process:
            await bus.call(WORK, 1)
            process.terminate()
            assert await asyncio.to_thread(process.wait, 60) == 0
        assert await redis.xinfo_consumers("daebus:{worker}:action:work", "daebus") == []
        assert await redis.zrange("daebus:{worker}:instances", 0, -1) == [b":answered", b":least"]
