"""What the log and the dead letters tell of handlers that fail."""

from __future__ import annotations

import logging
from typing import Any, cast

import msgspec
import pytest
from tests.support import until

from daebus import Action, Bus, Channel, Context, Daebus
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.delivery import failures
from daebus.errors import Conflict, Internal, NotFound, Unavailable
from daebus.operations.dead_letters import DeadLetters, Letter
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


class Created(msgspec.Struct):
    number: int


class Parcel(msgspec.Struct):
    id: int
    street: str


ORDERS = Channel[Created]("orders", durable=True)
WORK = Action[int, None]("work", service="shop")


async def letters() -> list[Letter]:
    async with open_node(RedisServer.from_url(private_redis_url())) as node:
        return [letter async for letter in DeadLetters(node, "shop").all()]


async def died(count: int) -> list[Letter]:
    async def all_are_there() -> bool:
        return len(await letters()) >= count

    await until(all_are_there)
    return await letters()


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[tuple[logging.LogRecord, dict[str, Any]]]:
    lines = [(one, cast("dict[str, Any]", one.msg)) for one in caplog.records if isinstance(one.msg, dict)]
    return [(record, line) for record, line in lines if line.get("event") == event]


def look_up(number: int) -> str:
    return {"redis://u:hunter2@host": "x"}[f"redis://u:hunter2@host/{number}"]


async def test_a_letter_of_a_listener_says_why_when_where_and_who(caplog: pytest.LogCaptureFixture) -> None:
    app, ids = Daebus("shop"), list[str | None]()

    @app.listen(ORDERS, name="mails", retries=1, backoff=0.01)
    async def on_order(event: Created, context: Context) -> None:
        ids.append(context.event_id)
        look_up(event.number)

    async with running(app) as service, running(Daebus("other")) as other:
        await other.publish(ORDERS, Created(1))
        (letter,) = await died(1)
        async with Bus(private_redis_url()) as bus:
            await bus.publish(ORDERS, Created(2))
        _, second = await died(2)
        assert service.bus is not other.bus
    assert (letter.code, letter.exception) == ("internal", "KeyError")
    assert letter.reason == "'redis://***@host/1'"
    assert letter.traceback is not None
    assert "hunter2@host/" not in letter.traceback
    assert "in look_up" in letter.traceback
    assert letter.failed is not None
    assert letter.sent <= letter.failed <= letter.died
    assert letter.sender is not None
    assert letter.sender.startswith("other@")
    assert second.sender is not None
    assert second.sender.startswith("script@")
    assert [letter.event_id, letter.event_id, second.event_id, second.event_id] == ids
    assert letter.event_id != second.event_id
    (record, line), *_ = told(caplog, "handler failed")
    assert record.exc_info is not None
    assert (line["channel"], line["listener"], line["event_id"]) == ("orders", "mails", letter.event_id)
    assert line["entry"].partition("-")[0] == str(letter.sent)


async def test_events_of_one_run_have_ids_of_their_own(redis: Any) -> None:
    app = Daebus("shop")

    @app.action(WORK)
    async def work(number: int, *, bus: Bus) -> None:
        for each in range(number):
            await bus.publish(ORDERS, Created(each))

    async with running(app) as service:
        await service.call(WORK, 2)
    (_, first), (_, second) = await redis.xrange("daebus:channel:{orders}")
    assert first[b"trace_id"] == second[b"trace_id"]
    assert first[b"event_id"] != second[b"event_id"]
    assert first[b"sender"].startswith(b"shop@")


async def test_a_letter_of_a_request_says_why_and_its_caller_does_not_hear_it() -> None:
    app = Daebus("shop")

    @app.action(WORK, retries=0)
    async def work(number: int) -> None:
        if number == 1:
            raise NotFound("order 1")
        look_up(number)

    async with running(app) as service:
        await service.send(WORK, 1)
        (first,) = await died(1)
        await service.send(WORK, 2)
        _, second = await died(2)
        with pytest.raises(Internal) as caught:
            await service.call(WORK, 3)
    assert "KeyError" not in str(caught.value)
    assert caught.value.details == {}
    assert (first.code, first.exception, first.reason) == ("not_found", "daebus.errors.NotFound", "order 1")
    assert (second.code, second.exception) == ("internal", "KeyError")
    assert second.sender is not None
    assert second.sender.startswith("shop@")


async def test_tracebacks_of_failures_alike_are_sampled(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Daebus("shop")

    @app.action(WORK)
    async def work(number: int) -> None:
        if number == 7:
            raise ValueError("another")
        look_up(number)

    monkeypatch.setattr(failures, "_failures", {})
    async with running(app) as service:
        for number in [1] * 9 + [7]:
            with pytest.raises(Internal):
                await service.call(WORK, number)
    lines = told(caplog, "handler failed")
    assert [bool(record.exc_info) for record, _ in lines] == [
        *(number in (1, 2, 4, 8) for number in range(1, 10)),
        True,
    ]
    assert [line.get("times") for _, line in lines] == [None, *range(2, 10), None]
    assert lines[2][1]["reason"] == "KeyError: 'redis://***@host/1'"


async def test_a_listener_that_says_that_something_is_away_names_the_event(caplog: pytest.LogCaptureFixture) -> None:
    app = Daebus("shop")

    @app.listen(ORDERS, name="mails", backoff=3600)
    async def on_order(event: Created) -> None:
        raise Unavailable("not now")

    async with running(app) as service:
        await service.publish(ORDERS, Created(1))
        await until(lambda: told(caplog, "message will be retried"))
    ((_, line),) = told(caplog, "event not handled")
    ((_, again),) = told(caplog, "message will be retried")
    assert (line["channel"], line["listener"]) == ("orders", "mails")
    assert line["entry"] == again["entry"]
    assert line["event_id"] != line["request_id"]


async def test_an_invalid_event_of_a_plain_channel_is_told_with_its_handler_and_all_its_mistakes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Daebus("shop")
    plain, anything = Channel[Parcel]("plain_orders"), Channel[Any]("plain_orders")

    @app.listen(plain)
    async def on_order(event: Parcel) -> None:
        if event.id == 1:
            raise Conflict("x" * 100_000, details={"much": "x" * 100_000})

    async with running(app) as service:
        await service.publish(anything, {"id": "x" * 100_000, "street": 7})
        await service.publish(plain, Parcel(1, ""))
        await until(lambda: len(told(caplog, "event not handled")) == 2)
    (_, invalid), (_, refused) = told(caplog, "event not handled")
    for line in (invalid, refused):
        assert line["handler"] == "listen plain_orders"
        assert "test_failures_told.py:" in str(line["where"])
        assert line["channel"] == "plain_orders"
        assert line["request_id"]
        assert "event_id" not in line
        assert len(str(line)) < 10_000
    assert invalid["code"] == "bad_request"
    details = cast("dict[str, list[dict[str, str]]]", invalid["details"])
    assert [one["path"] for one in details["errors"]] == ["$.id", "$.street"]
    assert refused["code"] == "conflict"
