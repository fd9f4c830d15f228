"""The program of docs/telemetry.md runs."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.interceptors.spans import Spans

from daebus import Blueprint, Daebus, DaebusHttp
from daebus.interceptors.opentelemetry import Tracing
from daebus.interceptors.prometheus import PrometheusMetrics
from daebus.testing import running

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()


def run(index: int, **names: object) -> dict[str, Any]:
    """What a piece of the page defines."""
    piece = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[index]
    exec(compile(piece, "telemetry.md", "exec"), names)
    return names


async def test_the_service_of_the_page_has_metrics() -> None:
    kinds: list[object] = [Daebus, DaebusHttp, PrometheusMetrics, Tracing]
    shop = Blueprint("shop")

    @shop.action("buy")
    async def buy(what: str) -> str:
        return what

    app: Daebus = run(0, shop=shop, **{getattr(kind, "__name__", ""): kind for kind in kinds})["app"]
    async with running(app) as service:
        assert (await service.http.get("/metrics")).status_code == 200


def test_the_configuration_of_the_page_exports_spans() -> None:
    spans = Spans()
    modules = ("trace", "trace.export", "resources")
    sdk, export, resources = (import_module(f"opentelemetry.sdk.{name}") for name in modules)
    provided: list[Any] = []

    class Trace:
        set_tracer_provider = provided.append

    names = {"SpanExporter": export.SpanExporter, "TracerProvider": sdk.TracerProvider, "trace": Trace}
    names |= {"Resource": resources.Resource, "BatchSpanProcessor": export.BatchSpanProcessor}
    run(1, **names)["export_traces"](spans.exporter)
    provider = provided[0]
    provider.get_tracer("test").start_span("a span").end()
    provider.shutdown()
    assert [(span.name, span.resource.attributes["service.name"]) for span in spans.ended] == [("a span", "shop")]
