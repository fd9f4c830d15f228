"""`Tracing`: the spans of messages, over several services."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import pytest
from opentelemetry import baggage
from tests.interceptors.spans import Spans
from tests.support import until

from daebus import Action, Bus, Channel, Context, Daebus, DaebusHttp, DaebusWebSocket, Logger, StreamAction
from daebus.errors import ConfigurationError, NotFound
from daebus.interceptors.opentelemetry import Tracing
from daebus.testing import private_redis_url, running

COUNT = StreamAction[int, int]("count", service="shop")
MAILS = Channel[str]("mails", durable=True)
PRICE = Action[str, int]("price", service="stock")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


def shop(tracing: Tracing) -> Daebus:
    app = Daebus("shop", interceptors=[tracing])
    app.attach(DaebusHttp())

    @app.route("/prices/<name>")
    async def price(name: str, *, bus: Bus) -> int:
        return await bus.call(PRICE, name)

    return app


def stock(tracing: Tracing, seen: list[str | None]) -> Daebus:
    app = Daebus("stock", interceptors=[tracing])

    @app.action(PRICE)
    async def price(name: str, context: Context, *, logger: Logger) -> int:
        seen.append(context.headers.get("traceparent"))
        logger.info("asked", color=baggage.get_baggage("color"))
        if name == "pear":
            raise NotFound("There are no pears")
        return len(name) if name != "plum" else 1 // 0

    return app


def is_sampled(parent: str | None) -> bool:
    assert parent is not None, "the next service would begin a trace in the middle"
    return bool(int(parent[-2:], 16) & 1)


def lines(text: str, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]


async def test_a_trace_goes_from_a_browser_over_services() -> None:
    spans, seen = Spans(), list[str | None]()
    tracing = Tracing(tracer_provider=spans.provider)
    async with running(shop(tracing)) as service, running(stock(tracing, seen)):
        answer = await service.http.get("/prices/apple", headers={"traceparent": SAMPLED})
    assert answer.json() == 5
    assert spans.tree() == ["SERVER GET /prices/<name>", "  CLIENT stock/price", "    SERVER stock/price"]
    route, call, action = spans.ended
    assert (f"{route.context.trace_id:032x}", f"{route.parent.span_id:016x}") == (TRACE, SPAN)
    assert seen == [f"00-{TRACE}-{call.context.span_id:016x}-01"]
    assert {name: route.attributes[name] for name in ("http.route", "http.response.status_code")} == {
        "http.route": "/prices/<name>",
        "http.response.status_code": 200,
    }
    assert call.attributes == {"rpc.system.name": "daebus", "rpc.method": "stock/price"}
    assert action.attributes["daebus.request.id"] == route.attributes["daebus.request.id"]


async def test_a_sender_that_is_not_sampled_costs_no_span() -> None:
    spans, seen = Spans(), list[str | None]()
    tracing = Tracing(tracer_provider=spans.provider)
    async with running(shop(tracing)) as service, running(stock(tracing, seen)):
        await service.http.get("/prices/apple", headers={"traceparent": UNSAMPLED, "baggage": "color=red"})
    assert spans.ended == []
    assert seen == [UNSAMPLED]


async def test_a_share_of_the_traces_that_begin_here_is_sampled() -> None:
    spans, seen = Spans(), list[str | None]()
    none, all_of_them = (Tracing(sample=sample, tracer_provider=spans.provider) for sample in (0, 1))
    async with running(shop(none)) as service, running(stock(all_of_them, seen)):
        await service.http.get("/prices/apple")
        assert spans.ended == []
        assert not is_sampled(seen[0])
        assert await service.call(PRICE, "fig") == 3
    async with running(shop(all_of_them)) as service, running(stock(none, seen)):
        await service.http.get("/prices/apple")
    assert spans.tree() == ["SERVER GET /prices/<name>", "  CLIENT stock/price", "    SERVER stock/price"]


async def test_the_sampler_of_the_sdk_decides_for_all_hops() -> None:
    sampling = import_module("opentelemetry.sdk.trace.sampling")
    spans, seen = Spans(sampling.ALWAYS_OFF), list[str | None]()
    other = Spans()
    async with (
        running(shop(Tracing(tracer_provider=spans.provider))) as service,
        running(stock(Tracing(tracer_provider=other.provider), seen)),
    ):
        await service.http.get("/prices/apple")
    assert [*spans.ended, *other.ended] == []
    assert not is_sampled(seen[0])


async def test_an_error_is_on_each_span_that_it_passes() -> None:
    spans = Spans()
    tracing = Tracing(tracer_provider=spans.provider)
    async with running(shop(tracing)) as service, running(stock(tracing, [])):
        assert (await service.http.get("/prices/pear")).status_code == 404
        assert (await service.http.get("/prices/plum")).status_code == 500
    shown = [
        (span.attributes["error.type"], span.status.status_code.name, [event.name for event in span.events])
        for span in spans.ended
    ]
    # What the client has done wrong is no error of the server.
    assert shown[:3] == [("not_found", "UNSET", []), ("not_found", "ERROR", []), ("not_found", "UNSET", [])]
    assert shown[3:] == [("internal", "ERROR", []), ("internal", "ERROR", []), ("internal", "ERROR", ["exception"])]


async def test_log_lines_have_the_ids_of_their_span(capfd: pytest.CaptureFixture[str]) -> None:
    spans = Spans()
    tracing = Tracing(tracer_provider=spans.provider)
    async with running(shop(tracing)) as service, running(stock(tracing, [])):
        await service.http.get("/prices/plum", headers={"traceparent": SAMPLED, "baggage": "color=red"})
    log = capfd.readouterr().err
    ids = {"trace_id": TRACE, "span_id": f"{spans.ended[2].context.span_id:016x}"}
    (asked,), (failed,) = lines(log, "asked"), lines(log, "handler failed")
    assert asked["color"] == "red"
    for line in (asked, failed):
        assert {name: line[name] for name in ids} == ids


async def test_a_retry_is_linked_to_the_attempt_before() -> None:
    spans = Spans()
    app = Daebus("mails", interceptors=[Tracing(tracer_provider=spans.provider)])

    @app.listen(MAILS, retries=2, backoff=0.01)
    async def on_mail(_: str, context: Context) -> None:
        if context.attempt < 3:
            raise ValueError

    async with running(app) as service:
        await service.bus.publish(MAILS, "a mail")
        await until(lambda: len(spans.ended) == 4)
    assert spans.tree() == ["PRODUCER publish mails", *["  CONSUMER process mails"] * 3]
    sent, *attempts = spans.ended
    assert [span.attributes.get("daebus.attempt") for span in attempts] == [None, "2", "3"]
    for span, before in zip(attempts, [None, *attempts[:-1]], strict=True):
        linked = [sent, *([] if before is None else [before])]
        assert [link.context.span_id for link in span.links] == [one.context.span_id for one in linked]
        assert span.attributes["messaging.message.id"] == attempts[0].attributes["messaging.message.id"]


async def test_the_messages_of_a_connection_are_traces_of_their_own() -> None:
    spans = Spans()
    app = Daebus("shop", interceptors=[Tracing(tracer_provider=spans.provider)])
    app.attach(DaebusWebSocket(port=0))

    @app.socket("price")
    async def price(name: str, *, bus: Bus) -> int:
        return await bus.call(PRICE, name)

    async with (
        running(app) as service,
        running(stock(Tracing(tracer_provider=spans.provider), [])),
        service.socket(headers={"traceparent": SAMPLED}) as socket,
    ):
        for name in ("fig", "apple"):
            await socket.ask("price", name)
    tree = ["SERVER socket price", "  CLIENT stock/price", "    SERVER stock/price"]
    assert spans.tree() == [*tree, *tree]
    assert len({span.context.trace_id for span in spans.ended}) == 2
    (link,) = spans.ended[0].links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)


async def test_streams_are_spans_until_their_end() -> None:
    spans = Spans()
    tracing = Tracing(tracer_provider=spans.provider)
    app = Daebus("shop", interceptors=[tracing])

    @app.action(COUNT)
    async def count(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            yield number

    async with running(app) as service:
        assert [number async for number in service.bus.stream(COUNT, 3)] == [0, 1, 2]
        stream = service.bus.stream(COUNT, 1_000_000)
        assert await anext(stream) == 0
        await stream.aclose()
        await until(lambda: len(spans.ended) == 4)
    assert spans.tree() == ["CLIENT shop/count", "  SERVER shop/count"] * 2
    assert [span.attributes.get("error.type") for span in spans.ended] == [None, None, None, "cancelled"]


async def test_a_script_begins_traces() -> None:
    spans = Spans()
    tracing = Tracing(tracer_provider=spans.provider)
    async with running(stock(tracing, [])), Bus(private_redis_url(), interceptors=[tracing]) as bus:
        await bus.call(PRICE, "fig")
    assert spans.tree() == ["CLIENT stock/price", "  SERVER stock/price"]


async def test_the_trace_of_the_sender_is_not_replaced_if_it_has_set_it_itself() -> None:
    spans, seen = Spans(), list[str | None]()
    tracing = Tracing(tracer_provider=spans.provider)
    async with running(stock(tracing, seen)), Bus(private_redis_url(), interceptors=[tracing]) as bus:
        await bus.call(PRICE, "fig", headers={"traceparent": SAMPLED})
    assert seen == [SAMPLED]
    call = next(span for span in spans.ended if span.kind.name == "CLIENT")
    assert f"{call.links[0].context.span_id:016x}" == SPAN


def test_a_share_is_from_0_to_1() -> None:
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        Tracing(sample=5)


def test_without_the_library_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['opentelemetry'] = None; import daebus.interceptors.opentelemetry"
    failed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "opentelemetry-api: pip install 'daebus[otel]'" in failed.stderr
