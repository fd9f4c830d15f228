"""A service whose heartbeats stay away while its connections still stand is no service of daebus 0.0.31."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.engines import Engine, open_proxy
from tests.processes import serving
from tests.support import open_bus, raw_redis, until

from daebus import Action, Bus, Daebus, Settings
from daebus.core.timings import Timings
from daebus.errors import NoSuchService
from daebus.testing import running

PAY = Action[int, None]("pay", service="payments")
PAYMENTS = """
import os
from pathlib import Path

from daebus import Daebus

app = Daebus("payments")


@app.action("pay")
async def pay(number: int) -> None:
    with Path(os.environ["PAID"]).open("a") as paid:
        paid.write(f"{number}\\n")
"""
SERVING = "daebus:{payments}:serving"


@pytest.fixture
def engine(tmp_path: Path) -> Generator[Engine]:
    with Engine(tmp_path / "engine") as engine:
        yield engine


async def backdate(redis: Any, seconds: float) -> None:
    """Make all that stands in the registry older."""
    for member, score in await redis.zrange(SERVING, 0, -1, withscores=True):
        await redis.zadd(SERVING, {member: score - seconds * 1000})


@pytest.mark.parametrize("legacy", ["0", "1"])
async def test_what_is_sent_while_a_service_is_cut_off_is_handled_once(
    engine: Engine, tmp_path: Path, legacy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, paid = tmp_path / "payments.py", tmp_path / "paid"
    target.write_text(PAYMENTS)
    paid.touch()
    monkeypatch.setenv("DAEBUS_LEGACY", legacy)
    app = f"{target}:app"
    async with raw_redis(engine.tcp_url) as redis:
        with serving(app, redis_url=engine.tcp_url, PAID=str(paid), DAEBUS_LEGACY=legacy) as cut_off:
            # Nothing comes from it any more, and the server still holds its connections: NUMSUB counts them.
            os.kill(cut_off.process.pid, signal.SIGSTOP)
            await backdate(redis, 42)
            async with Bus(engine.tcp_url) as bus:
                for number in range(20):
                    for _ in range(2):
                        await bus.send(PAY, number, idempotency_key=f"payment-{number}")
                with pytest.raises(NoSuchService):
                    await bus.call(PAY, 99, timeout=1)
            cut_off.process.kill()
            cut_off.process.wait()
        with serving(app, redis_url=engine.tcp_url, PAID=str(paid), DAEBUS_LEGACY=legacy):
            await until(lambda: len(paid.read_text().splitlines()) >= 20)
            await until(lambda: _is_empty(redis))
    assert sorted(map(int, paid.read_text().split())) == list(range(20))


@pytest.mark.parametrize("legacy", [False, True])
async def test_what_is_sent_while_all_replicas_are_behind_a_link_that_stalls_is_handled_once(
    engine: Engine, legacy: bool
) -> None:
    paid = list[int]()
    timings = Timings(live=0.8, beat=0.2, fresh=0.1)
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(open_proxy(engine.port))
        for _ in range(2):
            app = Daebus("payments", settings=Settings(legacy=legacy))

            @app.action(PAY)
            async def pay(number: int) -> None:
                paid.append(number)

            url = f"redis://127.0.0.1:{proxy.port}/0"
            await stack.enter_async_context(running(app, redis_url=url, timings=timings))
        redis = await stack.enter_async_context(raw_redis(engine.tcp_url))
        heard = await stack.enter_async_context(redis.pubsub(ignore_subscribe_messages=True))
        await heard.subscribe("payments")  # as a service of daebus 0.0.31 would; those with the old wire do it, too
        bus = await stack.enter_async_context(open_bus(engine.tcp_url, timings, legacy=legacy))
        await bus.call(PAY, 0)
        proxy.stall()
        await asyncio.sleep(1.0)  # no heartbeat is newer than what counts as live
        assert dict(await redis.pubsub_numsub("payments"))[b"payments"] >= 1 + legacy
        with pytest.raises(NoSuchService):
            await bus.call(PAY, 99, timeout=1)
        for number in range(1, 21):
            await bus.send(PAY, number)
            for _ in range(2):
                await bus.send(PAY, 100 + number, idempotency_key=f"payment-{number}")
        proxy.flow()
        await until(lambda: _is_empty(redis))
        assert await heard.get_message(timeout=0.1) is None
    assert sorted(paid) == [*range(21), *range(101, 121)]


async def _is_empty(redis: Any) -> bool:
    return bool(await redis.xlen("daebus:{payments}:action:pay") == 0)
