"""Requests that are sent to an action that nobody serves: they wait, and the log says so."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.support import raw_redis, until

from daebus import Action, Bus, Daebus, Settings
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

RIGHT = Action[int, None]("count_up", service="shop")
WRONG = Action[int, None]("cuont_up", service="shop")
WAITS = "requests wait for an action that no instance has"
SENT = "request queued for an action that no live instance has"


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    lines = [cast("dict[str, Any]", one.msg) for one in caplog.records if isinstance(one.msg, dict)]
    return [line for line in lines if line.get("event") == event]


def shop(*names: str, partitions: int = 1, done: list[int] | None = None) -> Daebus:
    app = Daebus("shop", settings=Settings(partitions=partitions))
    for name in names:

        @app.action(name)
        async def count(number: int) -> None:
            if done is not None:
                done.append(number)

    return app


@pytest.mark.parametrize("partitions", [1, 3])
async def test_an_instance_that_starts_tells_of_what_waits_for_an_action_that_nobody_has(
    caplog: pytest.LogCaptureFixture, partitions: int
) -> None:
    async with Bus(private_redis_url()) as bus:
        async with running(shop("count_up", partitions=partitions)):
            pass
        assert not told(caplog, WAITS)
        for number in range(4):
            await bus.send(WRONG, number)
        await bus.send(RIGHT, 7)
        done: list[int] = []
        async with running(shop("count_up", partitions=partitions, done=done)):
            (line,) = told(caplog, WAITS)
            await until(lambda: done == [7])
    assert (line["action"], line["waiting"]) == ("cuont_up", 4)
    assert str(line["since"]).startswith("20")
    assert line["remedy"].startswith(
        "did you mean 'count_up'? Start an instance that has it, or delete the requests: DEL daebus:{shop"
    )
    async with raw_redis(private_redis_url()) as redis:
        await redis.delete(*line["remedy"].split("DEL ")[1].split())
        caplog.clear()
        async with running(shop("count_up", partitions=partitions)):
            assert not told(caplog, WAITS)
        names = {name for one in range(partitions) for name in await redis.smembers(_names(one))}
    assert names == {b"count_up"}  # what nobody has any more is forgotten


def _names(partition: int) -> str:
    return f"daebus:{{shop{f':{partition}' if partition else ''}}}:actions"


async def test_an_action_of_another_live_instance_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async with Bus(private_redis_url()) as bus:
        await bus.send(WRONG, 1)
        async with running(shop("cuont_up")), running(shop("count_up")):
            assert not told(caplog, WAITS)


async def test_a_renamed_action_whose_requests_were_left_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_redis(private_redis_url()) as redis:
        async with running(shop("old_name")):
            pass
        await redis.xadd("daebus:{shop}:action:old_name", {"request": "{}"})
        async with running(shop("new_name")):
            (line,) = told(caplog, WAITS)
    assert (line["action"], line["waiting"]) == ("old_name", 1)


async def test_of_many_names_some_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with Bus(private_redis_url()) as bus:
        for number in range(25):
            await bus.send(Action[int, None](f"name_{number}", service="shop"), 1)
        async with running(shop("count_up")):
            assert len(told(caplog, WAITS)) == 20
            (line,) = told(caplog, "requests wait for more actions that no instance has")
    assert line["actions"] == 5


async def test_who_sends_to_an_action_that_a_running_service_does_not_have_is_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(shop("count_up")) as service, Bus(private_redis_url()) as bus:
        for number in range(5):
            await bus.send(WRONG, number)
        await service.send(RIGHT, 1)
        lines = told(caplog, SENT)
        assert [line["times"] for line in lines] == [1, 2, 4]
        assert (lines[0]["service"], lines[0]["action"]) == ("shop", "cuont_up")
        assert lines[0]["reason"] == "The service 'shop' has no action 'cuont_up'; did you mean 'count_up'?"
        caplog.clear()
        async with running(shop("cuont_up")):  # a second program of the service, which has it
            await until(lambda: _is_drained(service))
            for _ in range(4):
                await bus.send(WRONG, 9)
            assert not told(caplog, SENT)


async def _is_drained(_: object) -> bool:
    async with raw_redis(private_redis_url()) as redis:
        return bool(await redis.xlen("daebus:{shop}:action:cuont_up") == 0)
