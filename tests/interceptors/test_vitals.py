"""What the metrics say about a service beside the durations of its messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.interceptors.scrapes import scrape
from tests.support import until

from daebus import Action, Channel, Daebus, DaebusWebSocket, Settings, StreamAction
from daebus.connection.outages import Outage
from daebus.interceptors.prometheus import PrometheusMetrics
from daebus.protocol.messages import action_stream
from daebus.queues.retries import GROUP
from daebus.testing import running

ORDERS = Channel[str]("orders", durable=True)
NOTE = Action[str, None]("note", service="office")
STORE = Action[str, None]("store", service="depot")
COUNT = StreamAction[int, int]("count", service="shop")


async def test_retries_and_dead_letters_are_counted() -> None:
    metrics = PrometheusMetrics()
    app = Daebus("shop", interceptors=[metrics])

    @app.listen(ORDERS, retries=1, backoff=0.01)
    async def on_order(_: str) -> None:
        raise ValueError

    async with running(app) as service:
        await service.bus.publish(ORDERS, "an order")
        await until(lambda: _is(metrics, "daebus_dead_letters_stored", {("shop",): 1}))
        assert await scrape(metrics, "daebus_retries_total") == {("listen shop.on_order", "shop"): 1}
        assert await scrape(metrics, "daebus_dead_letters_total") == {("listen shop.on_order", "shop"): 1}
    handled = await scrape(metrics, "messaging_process_duration_seconds_count")
    assert handled == {("internal", "shop/shop.on_order", "orders", "process", "process", "daebus"): 2}


async def test_the_queues_have_a_length_and_an_age() -> None:
    metrics, began, end = PrometheusMetrics(), asyncio.Event(), asyncio.Event()
    app = Daebus("office", interceptors=[metrics])

    @app.action(NOTE, concurrency=1)
    async def note(_: str) -> None:
        began.set()
        await end.wait()

    async with running(app) as service:
        for text in ("one", "two", "three"):
            await service.bus.send(NOTE, text)
        await began.wait()
        states: dict[tuple[str, ...], float] = {
            ("action note", "pending", "office"): 1.0,
            ("action note", "waiting", "office"): 2.0,
        }
        await until(lambda: _is(metrics, "daebus_queue_messages", states))
        assert await scrape(metrics, "daebus_messages_active") == {("action note", "office"): 1}
        (age,) = (await scrape(metrics, "daebus_queue_age_seconds")).values()
        assert 0 < age < 60
        end.set()
        await until(lambda: _is(metrics, "daebus_messages_active", {("action note", "office"): 0}))
    assert await scrape(metrics, "daebus_queue_messages") == {}, "nothing is read of a service that has stopped"


async def test_messages_that_are_taken_over_are_counted(redis: Any) -> None:
    metrics = PrometheusMetrics()
    app = Daebus("depot", interceptors=[metrics], settings=Settings(lease=0.5))

    @app.action(STORE)
    async def store(_: str) -> None: ...

    stream = action_stream("depot", "store")
    await redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
    await redis.xadd(stream, {"request": b'{"action":"store","payload":"x","request_id":"r-1","service":"depot"}'})
    assert await redis.xreadgroup(GROUP, "aaaaaaaaaaaa-100", {stream: ">"})
    async with running(app):
        await until(lambda: _is(metrics, "daebus_takeovers_total", {("action store", "depot"): 1}))


async def test_streams_and_sockets_in_progress_are_counted() -> None:
    metrics = PrometheusMetrics()
    app = Daebus("shop", interceptors=[metrics])
    app.attach(DaebusWebSocket(port=0))

    @app.action(COUNT)
    async def count(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            yield number
            await asyncio.sleep(0.001)

    @app.socket("hello")
    async def hello() -> str:
        return "hello"

    async with running(app) as service:
        stream = service.bus.stream(COUNT, 1_000_000)
        assert await anext(stream) == 0
        async with service.socket() as socket:
            assert bytes((await socket.ask("hello")).data) == b'"hello"'
            assert await scrape(metrics, "daebus_streams_active") == {("action count", "shop"): 1}
            assert await scrape(metrics, "daebus_websocket_connections") == {("shop",): 1}
        await stream.aclose()
        await until(lambda: _is(metrics, "daebus_streams_active", {("action count", "shop"): 0}))
    answered = await scrape(metrics, "daebus_socket_message_duration_seconds_count")
    assert answered == {("hello", "shop", ""): 1}
    # The service is told to end the stream; for the reader itself that is no error.
    served = await scrape(metrics, "rpc_server_call_duration_seconds_count")
    assert served == {("cancelled", "shop/count", "daebus"): 1}
    read = await scrape(metrics, "rpc_client_call_duration_seconds_count")
    assert read == {("", "shop/count", "daebus"): 1}


async def test_the_event_loop_and_the_schedules_have_delays() -> None:
    metrics = PrometheusMetrics()
    app = Daebus("shop", interceptors=[metrics])

    @app.background("tidy", 0.02)
    async def tidy() -> None: ...

    async with running(app):
        await until(lambda: _has(metrics, "daebus_task_delay_seconds_count", "tidy"))
        await until(lambda: _has(metrics, "daebus_event_loop_delay_seconds", "shop"))
        await until(lambda: _has(metrics, "daebus_task_duration_seconds_count", "shop", "tidy", ""))


def test_a_connection_that_works_again_is_counted() -> None:
    outage, connection, before = Outage("redis:6379"), object(), Outage.reconnected
    outage.begin(connection, "The server has gone.")
    outage.end(connection)
    outage.end(connection)
    assert Outage.reconnected == before + 1


async def _is(metrics: PrometheusMetrics, name: str, expected: dict[tuple[str, ...], float]) -> bool:
    return await scrape(metrics, name) == expected


async def _has(metrics: PrometheusMetrics, name: str, *labels: str) -> bool:
    return (await scrape(metrics, name)).get(labels, -1) >= 0
