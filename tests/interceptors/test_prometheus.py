"""`PrometheusMetrics`: what Prometheus reads, over a real port."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter
from tests.interceptors.scrapes import samples, scrape
from tests.support import until

from daebus import Action, Blueprint, Bus, Channel, Daebus, DaebusHttp, StreamAction
from daebus.errors import ConfigurationError, NotFound, WiringError
from daebus.interceptors import Outgoing
from daebus.interceptors.prometheus import PrometheusMetrics
from daebus.testing import private_redis_url, running

DOUBLE = Action[int, int]("double", service="shop")
COUNT = StreamAction[int, int]("count", service="shop")
NOTE = Action[str, None]("note", service="shop")
ORDERS = Channel[str]("orders")


def shop(metrics: PrometheusMetrics) -> Daebus:
    app = Daebus("shop", interceptors=[metrics])

    @app.action(DOUBLE)
    async def double(number: int) -> int:
        if number == 0:
            raise NotFound("There is no zero")
        return 2 * number if number > 0 else 1 // 0

    @app.action(COUNT)
    async def count(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            yield number

    @app.action(NOTE)
    async def note(text: str) -> None:
        assert text

    @app.listen(ORDERS)
    async def on_order(order: str) -> None:
        assert order

    return app


def text(metrics: PrometheusMetrics) -> str:
    return metrics.exposition()[0].decode()


async def scraped(url: str) -> str:
    async with httpx.AsyncClient() as client:
        response = await client.get(url)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return response.text


async def test_the_http_of_the_app_serves_the_metrics() -> None:
    app = shop(PrometheusMetrics())
    app.attach(DaebusHttp())

    @app.route("/users/<name>", methods=["GET"])
    async def user(name: str) -> str:
        return name

    async with running(app) as service:
        assert await service.call(DOUBLE, 4) == 8
        for wrong in (0, -1):
            with pytest.raises(Exception):  # noqa: B017, PT011  # the codes are below
                await service.call(DOUBLE, wrong)
        assert (await service.http.get("/users/ada")).text == "ada"
        body = await scraped(str(service.http.base_url.join("/metrics")))
    expected = {("", "shop/double", "daebus"): 1, ("not_found", "shop/double", "daebus"): 1}
    expected[("internal", "shop/double", "daebus")] = 1
    assert samples(body, "rpc_server_call_duration_seconds_count") == expected
    assert samples(body, "rpc_client_call_duration_seconds_count") == expected
    assert samples(body, "http_server_request_duration_seconds_count") == {
        ("", "GET", "200", "/users/<name>", "http"): 1
    }
    assert samples(body, "python_info"), "the registry of prometheus-client is served, too"


async def test_a_port_of_its_own_serves_them_without_http() -> None:
    registry = CollectorRegistry()
    Counter("sold", "What was sold.", registry=registry).inc(3)
    metrics = PrometheusMetrics(port=0, registry=registry)
    async with running(shop(metrics)) as service:
        assert [item async for item in service.bus.stream(COUNT, 3)] == [0, 1, 2]
        body = await scraped(f"http://127.0.0.1:{metrics.port}/metrics")
    assert samples(body, "rpc_server_call_duration_seconds_count") == {("", "shop/count", "daebus"): 1}
    assert samples(body, "sold_total") == {(): 3}


async def test_sends_and_events_are_messages() -> None:
    metrics = PrometheusMetrics()
    async with running(shop(metrics)) as service:
        await service.bus.send(NOTE, "hello")
        await service.bus.publish(ORDERS, "an order")

        async def are_handled() -> bool:
            return len(await scrape(metrics, "messaging_process_duration_seconds_count")) == 2

        await until(are_handled)
    consumer = "shop/shop.on_order"
    assert await scrape(metrics, "messaging_process_duration_seconds_count") == {
        ("", "", "shop/note", "process", "process", "daebus"): 1,
        ("", consumer, "orders", "process", "process", "daebus"): 1,
    }
    sent = await scrape(metrics, "messaging_client_operation_duration_seconds_count")
    assert sent == {("", "orders", "publish", "send", "daebus"): 1, ("", "shop/note", "send", "send", "daebus"): 1}


async def test_names_and_codes_that_others_choose_do_not_fill_the_memory() -> None:
    metrics = PrometheusMetrics()

    async def forward(_: Outgoing) -> msgspec.Raw:
        return msgspec.Raw(b"null")

    publish = metrics.outgoing(forward)
    for number in range(2_010):
        name = f"orders of {number}"
        await publish(Outgoing(kind="publish", contract=ORDERS, service=None, name=name, body=b"{}", headers={}))
    counts = re.findall(
        r"^messaging_client_operation_duration_seconds_count\{(.*)\} (.*)$", text(metrics), re.MULTILINE
    )
    assert len(counts) == 2_001
    assert [count for labels, count in counts if "_OTHER" in labels] == ["10.0"]


async def test_a_script_measures_what_it_sends() -> None:
    metrics = PrometheusMetrics()
    async with running(shop(PrometheusMetrics())), Bus(private_redis_url(), interceptors=[metrics]) as bus:
        assert await bus.call(DOUBLE, 1) == 2
    assert await scrape(metrics, "rpc_client_call_duration_seconds_count") == {("", "shop/double", "daebus"): 1}


def test_the_format_is_that_of_the_request() -> None:
    body, content_type = PrometheusMetrics(registry=CollectorRegistry()).exposition("application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body == b"# EOF\n"


def test_a_wrong_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="it must begin with '/'"):
        PrometheusMetrics(path="metrics")


def test_a_blueprint_cannot_open_them() -> None:
    with pytest.raises(WiringError, match="give it to Daebus"):
        Blueprint("shop", interceptors=[PrometheusMetrics()])


def test_without_the_library_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['prometheus_client'] = None; import daebus.interceptors.prometheus"
    failed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "prometheus-client: pip install 'daebus[prometheus]'" in failed.stderr
