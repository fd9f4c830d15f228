"""What the log tells of requests whose time is over."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, cast

import pytest
from tests.support import raw_redis, until

from daebus import Action, Daebus, Settings
from daebus.errors import Timeout
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

HANG = Action[None, None]("hang", service="late")
LIMITED = Action[None, None]("limited", service="late")
STREAM = "daebus:{late}:action:hang"
DROPPED = "request dropped: its deadline passed before it was run"
CANCELLED = "handler cancelled: its time was over"


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    lines = [cast("dict[str, Any]", one.msg) for one in caplog.records if isinstance(one.msg, dict)]
    return [line for line in lines if line.get("event") == event]


def hanging() -> Daebus:
    app = Daebus("late")

    @app.action(HANG)
    async def hang() -> None:
        await asyncio.sleep(3600)

    @app.action(LIMITED, timeout=0.05, retries=0)
    async def limited() -> None:
        await asyncio.sleep(3600)

    return app


async def test_a_request_whose_deadline_passed_before_it_was_run_is_told(caplog: pytest.LogCaptureFixture) -> None:
    url = private_redis_url()
    async with raw_redis(url) as redis:
        for number in range(9):
            fields = {"action": "hang", "payload": None, "reply_to": "daebus:reply:x", "deadline": 1}
            await redis.xadd(STREAM, {"request": json.dumps(fields | {"request_id": f"r{number}"})})
        with caplog.at_level(logging.INFO):
            async with running(hanging()):
                await until(lambda: _is_empty(redis))
    lines = told(caplog, DROPPED)
    assert [line.get("times", 1) for line in lines] == [1, 2, 4, 8]
    assert (lines[0]["action"], lines[0]["handler"], lines[0]["request_id"]) == ("hang", "action hang", "r0")
    assert lines[0]["late_seconds"] > 1000


async def test_a_handler_that_is_cancelled_as_its_time_is_over_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with running(hanging()) as service:
        with pytest.raises(Timeout):
            await service.call(HANG, timeout=0.3)
        with pytest.raises(Timeout):
            await service.call(LIMITED)
        await until(lambda: len(told(caplog, CANCELLED)) == 2)
    hung, limited = sorted(told(caplog, CANCELLED), key=lambda line: cast("str", line["action"]))
    assert (hung["action"], hung["handler"]) == ("hang", "action hang")
    assert hung["request_id"]
    assert 0 < hung["seconds"] <= 0.31
    assert (limited["handler"], limited["seconds"]) == ("action limited", pytest.approx(0.05, abs=0.01))


async def test_a_handler_that_is_cancelled_by_the_stop_is_not_told_as_late(caplog: pytest.LogCaptureFixture) -> None:
    app = Daebus("late", settings=Settings(stop_timeout=0.1))
    begun = asyncio.Event()

    @app.action(HANG)
    async def hang() -> None:
        begun.set()
        await asyncio.sleep(3600)

    async with running(app) as service:
        await service.send(HANG)
        await begun.wait()
    assert not told(caplog, CANCELLED)


async def _is_empty(redis: Any) -> bool:
    return bool(await redis.xlen(STREAM) == 0)
