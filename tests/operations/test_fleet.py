"""The fleet as an operator sees it: who runs, who is silent, what waits, and how long handlers take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support import until

from daebus import Action, Channel, Daebus, Settings
from daebus.connection.node import Node
from daebus.errors import Conflict
from daebus.operations.fleet import HandlerReport, ServiceReport, quantile, service_reports
from daebus.operations.rates import handler_rates, instance_rates
from daebus.telemetry.statistics import BOUNDS
from daebus.testing import running

WORK = Action[int, int]("work", service="shop")
WAIT = Action[None, None]("wait", service="shop")
ORDERS = Channel[int]("orders", durable=True)


@pytest.mark.parametrize(
    ("durations", "share", "expected"),
    [
        ([], 0.5, None),
        ([(BOUNDS[0], 10)], 0.5, BOUNDS[0] / 2),
        ([(BOUNDS[4], 1), (BOUNDS[4], 3)], 1.0, BOUNDS[4]),
        ([(BOUNDS[4], 50), (BOUNDS[10], 50)], 0.5, BOUNDS[4]),
        ([(BOUNDS[4], 50), (BOUNDS[10], 50)], 0.75, (BOUNDS[9] + BOUNDS[10]) / 2),
        ([(BOUNDS[4], 1), (None, 9)], 0.95, float("inf")),
    ],
)
def test_a_quantile_is_read_from_histograms(
    durations: list[tuple[float | None, int]], share: float, expected: float | None
) -> None:
    assert quantile(durations, share) == pytest.approx(expected)


def shop(gate: asyncio.Event) -> Daebus:
    app = Daebus("shop", settings=Settings(version="2.0", stop_timeout=0.5))

    @app.action(WORK)
    async def work(number: int) -> int:
        if number < 0:
            raise Conflict("negative")
        return number

    @app.action(WAIT)
    async def wait() -> None:
        await gate.wait()

    @app.listen(ORDERS, name="mails")
    async def on_order(event: int) -> None:
        await gate.wait()

    return app


def handler(report: ServiceReport, title: str) -> HandlerReport:
    return next(one for one in report.handlers if one.title == title)


@pytest.mark.usefixtures("daebus_redis_url")
async def test_all_instances_are_added_up_and_queues_are_beside_their_handlers(node: Node) -> None:
    gate = asyncio.Event()
    async with running(shop(gate)) as first, running(shop(gate)):
        for number in range(20):
            await first.call(WORK, number)
        with pytest.raises(Conflict):
            await first.call(WORK, -1)
        await first.send(WAIT)
        await first.publish(ORDERS, 1)

        async def waits() -> bool:
            (report,) = await service_reports(node)
            return handler(report, "action wait").in_flight == handler(report, "listen mails").in_flight == 1

        await until(waits)
        (report,) = await service_reports(node)
        assert (report.service, report.versions, report.dead) == ("shop", ["2.0"], 0)
        assert [one.state for one in report.instances] == ["running", "running"]
        worked = handler(report, "action work")
        assert (worked.messages, dict(worked.errors)) == (21, {"conflict": 1})
        assert worked.p50 is not None
        assert worked.p99 is not None
        assert 0 < worked.p50 <= worked.p99 < 60
        for title in ("action wait", "listen mails"):
            queue = handler(report, title).queue
            assert queue is not None
            assert (queue.waiting, queue.pending) == (0, 1)
            assert queue.oldest is not None
            assert abs(node.clock.now() - queue.oldest) < 60_000
        gate.set()


@pytest.mark.usefixtures("daebus_redis_url")
async def test_a_service_that_is_gone_is_shown_with_what_waits_for_it(node: Node) -> None:
    async with running(shop(asyncio.Event())):
        (before,) = await service_reports(node)
    async with running(Daebus("other")) as other:
        await other.send(WORK, 5)
        reports = {report.service: report for report in await service_reports(node)}
    assert list(reports) == ["other", "shop"]
    gone = reports["shop"]
    assert gone.instances == []
    assert gone.seen >= before.seen > node.clock.now() - 600_000
    queue = handler(gone, "action work").queue
    assert queue is not None
    assert (queue.waiting, queue.pending) == (1, 0)


@pytest.mark.usefixtures("daebus_redis_url")
async def test_an_instance_that_has_a_lease_and_does_not_answer_is_silent(node: Node, redis: Any) -> None:
    async with running(shop(asyncio.Event())):
        await redis.zadd("daebus:{shop}:instances", {"frozen-6000": node.clock.now() + 60_000, "dead-6000": 1})
        (report,) = await service_reports(node)
        assert [one.state for one in report.instances] == ["running", "silent"]
        assert report.instances[1].instance == "frozen-6000"


@pytest.mark.usefixtures("daebus_redis_url")
async def test_rates_are_those_between_two_reports(node: Node) -> None:
    async with running(shop(asyncio.Event())) as first:
        for number in range(50):
            await first.call(WORK, number)
        before = await service_reports(node)
        (nothing,) = [one for one in handler_rates(before, before) if one.title == "action work"]
        assert (nothing.messages, nothing.errors, nothing.p50) == (0, 0, None)
        async with running(shop(asyncio.Event())):
            for number in range(-5, 25):
                try:
                    await first.call(WORK, number)
                except Conflict:
                    assert number < 0
            now = await service_reports(node)
        (report,) = now
        spans = {one.instance: one.stats for one in report.instances if one.stats is not None}
        rates = {one.instance: one for one in instance_rates(before, now)}
        assert rates.keys() == spans.keys()
        (work,) = [one for one in handler_rates(before, now) if one.title == "action work"]
        # As each instance has a time of its own, the rate is that of its messages in that time.
        (earlier,) = before[0].instances
        assert earlier.stats is not None
        counted = 0.0
        for instance, stats in spans.items():
            since = earlier.stats.at if instance == earlier.instance else stats.started
            counted += rates[instance].messages * (stats.at - since) / 1000
            assert rates[instance].cpu >= 0
        assert counted == pytest.approx(30)
        assert work.messages > work.errors > 0
        assert work.p50 is not None
