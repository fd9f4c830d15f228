"""`OpenTelemetryMetrics`: the metrics that an SDK exports."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from tests.support import until

from daebus import Action, Channel, Daebus
from daebus.errors import NotFound
from daebus.interceptors.opentelemetry import OpenTelemetryMetrics
from daebus.telemetry.histograms import BUCKETS
from daebus.testing import running

DOUBLE = Action[int, int]("double", service="shop")
ORDERS = Channel[str]("orders", durable=True)


class Exported:
    """The metrics that an SDK has read."""

    def __init__(self) -> None:
        sdk, export = (import_module(f"opentelemetry.sdk.metrics{name}") for name in ("", ".export"))
        self._reader = export.InMemoryMetricReader()
        self.provider: Any = sdk.MeterProvider([self._reader])

    async def read(self) -> dict[str, Any]:
        """The metrics by their names."""
        data = await asyncio.to_thread(self._reader.get_metrics_data)
        (scope,) = data.resource_metrics[0].scope_metrics
        return {metric.name: metric for metric in scope.metrics}


async def test_an_sdk_gets_durations_and_what_the_service_says_of_itself() -> None:
    exported = Exported()
    app = Daebus("shop", interceptors=[OpenTelemetryMetrics(meter_provider=exported.provider)])

    @app.action(DOUBLE)
    async def double(number: int) -> int:
        if number == 0:
            raise NotFound
        return 2 * number

    @app.listen(ORDERS)
    async def on_order(_: str) -> None: ...

    @app.background("tidy", 0.02)
    async def tidy() -> None: ...

    async with running(app) as service:
        for number in (1, 2):
            await service.call(DOUBLE, number)
        assert await _code(service.call(DOUBLE, 0)) == "not_found"

        async def has_delays() -> bool:
            return "daebus.task.delay" in await exported.read()

        await until(has_delays, pause=0.6)  # as what is observed is kept for that long
        metrics = await exported.read()
    points = metrics["rpc.server.call.duration"].data.data_points
    attributes = {"rpc.system.name": "daebus", "rpc.method": "shop/double"}
    assert [(dict(point.attributes), point.count) for point in points] == [
        (attributes, 2),
        ({**attributes, "error.type": "not_found"}, 1),
    ]
    assert points[0].explicit_bounds == BUCKETS
    assert metrics["rpc.server.call.duration"].unit == "s"
    states = {point.attributes["daebus.queue.state"] for point in metrics["daebus.queue.messages"].data.data_points}
    assert states == {"waiting", "pending", "retrying"}
    assert metrics["daebus.redis.reconnects"].data.is_monotonic


async def _code(call: Any) -> str:
    try:
        await call
    except NotFound as error:
        return error.code
    return ""
