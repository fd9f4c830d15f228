"""A service whose heartbeats stay away while its connections still stand is no service of daebus 0.0.31."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from tests.engines import Engine
from tests.processes import serving
from tests.support import raw_redis, until

from daebus import Action, Bus
from daebus.errors import NoSuchService

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


async def _is_empty(redis: Any) -> bool:
    return bool(await redis.xlen("daebus:{payments}:action:pay") == 0)
