"""Reports of requests and events without a receiver: they name what is wrong, and are silent where nothing is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support import until

from daebus import Action, Channel, Daebus
from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.operations.reachability import meant_durable, nobody_came, nobody_listens, nobody_serves
from daebus.protocol.messages import channel_stream
from daebus.testing import running

PAY = Action[int, None]("pay", service="payments")
NEWS = Channel[int]("news")
ORDERS = Channel[int]("orders", durable=True)


@pytest.fixture
async def node(daebus_redis_url: str) -> AsyncIterator[Node]:
    async with open_node(RedisServer.from_url(daebus_redis_url)) as node:
        yield node


@pytest.fixture
async def _service(daebus_redis_url: str) -> AsyncIterator[None]:
    app = Daebus("payments")

    @app.action(PAY)
    async def pay(data: int) -> None: ...

    @app.listen(NEWS)
    async def on_news(event: int) -> None: ...

    @app.listen(ORDERS)
    async def on_order(event: int) -> None: ...

    async with running(app):
        yield


@pytest.mark.usefixtures("_service")
async def test_nothing_is_reported_of_what_is_received(node: Node) -> None:
    await until(lambda: _is_heard(node))
    assert await nobody_serves(node, "payments", "pay") is None
    assert await nobody_listens(node, "news") is None
    assert await nobody_came(node, "orders") is None


@pytest.mark.usefixtures("_service")
async def test_a_misspelt_action_is_reported_with_the_one_that_is_meant(node: Node) -> None:
    report = await nobody_serves(node, "payments", "pey")
    assert report is not None
    assert "pey" in report
    assert "pay" in report


async def test_a_service_that_does_not_run_is_reported(node: Node) -> None:
    report = await nobody_serves(node, "payments", "pay")
    assert report is not None
    assert "payments" in report


@pytest.mark.usefixtures("_service")
async def test_an_event_in_the_wrong_kind_of_channel_is_reported_with_what_to_do(node: Node) -> None:
    await until(lambda: _is_heard(node))
    assert "add --durable" in (await meant_durable(node, "orders") or "")
    assert await nobody_listens(node, "orders") == await meant_durable(node, "orders")
    await store(node, "news")
    report = await nobody_came(node, "news")
    assert report is not None
    assert "leave out --durable" in report


async def test_an_event_that_nobody_hears_is_lost_or_kept_by_the_kind_of_its_channel(node: Node) -> None:
    assert await nobody_listens(node, "news") == "No listener is connected to 'news' now, so the event is lost."
    kept = "No service has ever listened to 'orders': the event is kept for future listeners."
    await store(node, "orders")
    assert await nobody_came(node, "orders") == kept


async def store(node: Node, channel: str) -> None:
    """What `publish` leaves in a durable channel."""
    await node.link.execute("XADD", channel_stream(channel), "*", "event", "1")


async def _is_heard(node: Node) -> bool:
    return await node.link.is_heard("news")
