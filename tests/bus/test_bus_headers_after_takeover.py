"""Headers stay with a message whose instance was killed: another one runs it, and retries it, with all of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.processes import Service, launched
from tests.support import until

from daebus import Action, Bus, Channel
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORK = Action[int, None]("work", service="shop")
ASK = Action[int, dict[str, str]]("ask", service="shop")
ORDERS = Channel[int]("orders", durable=True)

SENT = {
    "x-tenant": "acme",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "baggage": "tenant=acme",
    "x-request-id": "r-7",
    "x-text": "ü 漢",
}

WORKER = """
import asyncio, json, os
from daebus import Channel, Context, Daebus, Settings
from daebus.errors import Unavailable
from redis.asyncio import Redis

app = Daebus("shop", settings=Settings(lease=1.0))

async def note(kind: str, context: Context, redis: Redis) -> int:
    headers = dict(context.headers)
    if await redis.rpush("runs", json.dumps([kind, os.getpid(), headers])) == 1:  # it is killed in this run
        await asyncio.Event().wait()
    return await redis.incr(f"after:{kind}")

@app.action("work", backoff=0.02)
async def work(number: int, context: Context, *, redis: Redis) -> None:
    if await note("work", context, redis) == 1:
        raise Unavailable("not yet")

@app.action("ask")
async def ask(number: int, context: Context, *, redis: Redis) -> dict[str, str]:
    await note("ask", context, redis)
    return dict(context.headers)

@app.listen(Channel[int]("orders", durable=True), backoff=0.02)
async def on_order(number: int, context: Context, *, redis: Redis) -> None:
    if await note("order", context, redis) == 1:
        raise RuntimeError("not yet")

app.run()
"""


class Run(msgspec.Struct, array_like=True):
    kind: str
    process: int
    headers: dict[str, str]


@contextmanager
def replica(folder: Path) -> Generator[Service]:
    program = folder / "worker.py"
    program.write_text(WORKER)
    with launched(sys.executable, str(program), DAEBUS_REDIS_URL=private_redis_url()) as service:
        service.wait_for("service started")
        yield service


async def runs(redis: Any) -> list[Run]:
    return [msgspec.json.decode(run, type=Run) for run in await redis.lrange("runs", 0, -1)]


@pytest.mark.parametrize("kind", ["work", "order"])
async def test_what_wants_no_reply_keeps_them_over_a_takeover_and_a_retry(
    redis: Any, tmp_path: Path, kind: str
) -> None:
    async with Bus(private_redis_url()) as bus:
        with replica(tmp_path) as first:
            if kind == "work":
                await bus.send(WORK, 1, headers=SENT)
            else:
                await bus.publish(ORDERS, 1, headers=SENT)
            await until(lambda: redis.llen("runs"))
            first.process.kill()
            first.process.wait()
            with replica(tmp_path) as second:
                await until(lambda: is_at(redis, f"after:{kind}", 2))
                found = await runs(redis)
    assert [(run.kind, run.process) for run in found] == [
        (kind, first.process.pid),
        *[(kind, second.process.pid)] * 2,
    ]
    assert [run.headers for run in found] == [SENT] * 3


async def test_a_call_keeps_them_over_a_takeover(redis: Any, tmp_path: Path) -> None:
    with replica(tmp_path) as first, replica(tmp_path) as second:
        async with Bus(private_redis_url()) as bus, asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(bus.call(ASK, 1, timeout=30, headers=SENT))
            await until(lambda: redis.llen("runs"))
            (run,) = await runs(redis)
            owner, other = (first, second) if run.process == first.process.pid else (second, first)
            owner.process.kill()
            assert await asked == SENT
        found = await runs(redis)
    assert [(run.process, run.headers) for run in found] == [(owner.process.pid, SENT), (other.process.pid, SENT)]


async def is_at(redis: Any, key: str, value: int) -> bool:
    return int(await redis.get(key) or 0) == value
