"""Replicas that die, or seem to, and the calls that they had in hand."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Service, launched
from tests.support import raw_redis, until

from daebus import Action, Bus
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORKER = """
import asyncio, ctypes, os
from daebus import Daebus
from redis.asyncio import Redis

settings = {"lease": float(os.environ["LEASE"])} if os.environ["LEASE"] else {}
app = Daebus("plain", **settings)

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
            await until(lambda: _is_empty(redis))
        assert await redis.llen("begun") == 2


async def _is_empty(redis: Any) -> bool:
    return bool(await redis.xlen("daebus:{plain}:action:hold_once") == 0)
