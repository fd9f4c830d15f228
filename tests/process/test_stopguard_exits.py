"""The callers of a replica whose stop does not end, and which exits all the same: real processes, real signals."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.processes import Service, launched
from tests.support import raw_redis, until

from daebus import Action, Bus
from daebus.errors import NoSuchService, Unavailable
from daebus.protocol.messages import action_stream

BODY = """
import asyncio, os, time
from daebus import Daebus, Settings

app = Daebus("service", settings=Settings(stop_timeout=0.5, lease=2.0))
hangs = os.environ["HANGS"] == "1"

@app.action("who")
async def who() -> str:
    return os.environ["NAME"]

@app.action("swallow")
async def swallow() -> str:
    while hangs:
        print("at swallow", flush=True)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
    return os.environ["NAME"]

@app.action("thread")
def thread() -> str:
    if hangs:
        print("at thread", flush=True)
        time.sleep(1000)
    return os.environ["NAME"]

@app.action("block")
async def block() -> str:
    if hangs:
        print("at block", flush=True)
        time.sleep(1000)
    return os.environ["NAME"]

if __name__ == "__main__":
    app.run()
"""


@asynccontextmanager
async def started(folder: Path, redis_url: str, name: str, hangs: str) -> AsyncGenerator[Service]:
    path = folder / "service.py"
    path.write_text(BODY)
    with launched(sys.executable, str(path), DAEBUS_REDIS_URL=redis_url, NAME=name, HANGS=hangs) as service:
        await until(lambda: service.lines("service started"), 120)
        yield service


async def ask(bus: Bus, action: str) -> str:
    return await bus.call(Action[None, str](action, service="service"), timeout=50)


@asynccontextmanager
async def asked_and_ended(
    folder: Path, redis_url: str, action: str, others: int
) -> AsyncGenerator[tuple[Bus, asyncio.Task[str]]]:
    """A replica that exited while it had a call in hand, besides others."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(Bus(redis_url))
        stuck = await stack.enter_async_context(started(folder, redis_url, "stuck", "1"))
        asking = asyncio.create_task(ask(bus, action))
        await until(lambda: f"at {action}" in stuck.output())
        for _ in range(others):
            await stack.enter_async_context(started(folder, redis_url, "other", "0"))
        stuck.process.terminate()
        await until(lambda: stuck.process.poll() is not None, 60)
        assert stuck.process.returncode == 1, stuck.text()
        yield bus, asking


@pytest.mark.parametrize("action", ["swallow", "thread", "block"])
async def test_the_last_replica_leaves_no_caller_waiting(tmp_path: Path, daebus_redis_url: str, action: str) -> None:
    """Who has called, and who calls then, hears so at once, also where its event loop was blocked till the end."""
    async with asked_and_ended(tmp_path, daebus_redis_url, action, 0) as (bus, asking):
        with pytest.raises(NoSuchService, match="the last one stopped"):
            await ask(bus, "who")
        exited = time.monotonic()
        with pytest.raises(Unavailable, match=f"service.{action} was cut off: the last instance has exited"):
            await asking
        assert time.monotonic() - exited < 20  # not after the 50 s for which it would have waited
        async with raw_redis(daebus_redis_url) as redis:  # whoever starts next does not run it
            assert await redis.xlen(action_stream("service", action)) == 0


@pytest.mark.parametrize("action", ["swallow", "thread", "block"])
async def test_another_replica_answers_what_one_had_in_hand(tmp_path: Path, daebus_redis_url: str, action: str) -> None:
    async with asked_and_ended(tmp_path, daebus_redis_url, action, 1) as (bus, asking):
        assert await ask(bus, "who") == "other"
        assert await asking == "other"
