"""The shop and the warehouse: two services that need each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager

import httpx
import pytest
from shop.contracts import ORDERS, PLACE_ORDER, TRACK_ORDER, Order, OrderId, OrderPlaced, PlaceOrder
from shop.store import Orders
from tests.processes import EXAMPLES, Service, serving
from tests.support import until
from warehouse.contracts import LIST_STOCK, OutOfStock

from daebus import Bus
from daebus.connection.session import client_of


def run(name: str, redis_url: str) -> AbstractContextManager[Service]:
    return serving(f"{name}.app:app", redis_url=redis_url, cwd=EXAMPLES / "orders")


@pytest.fixture(scope="module")
def shop(redis_url: str) -> Generator[Service]:
    with run("shop", redis_url) as service:
        yield service


@pytest.fixture
def warehouse(redis_url: str) -> Generator[Service]:
    with run("warehouse", redis_url) as service:
        yield service


@pytest.fixture
async def http(shop: Service) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=shop.url) as client:
        yield client


async def test_an_order_is_placed_and_shipped(
    shop: Service, warehouse: Service, bus: Bus, http: httpx.AsyncClient
) -> None:
    before = (await bus.call(LIST_STOCK)).left["apple"]
    placed = await http.post("/api/orders", json={"item": "apple", "quantity": 2})
    assert placed.status_code == 201
    order_id: str = placed.json()["id"]

    states = [order.status async for order in bus.stream(TRACK_ORDER, OrderId(order_id), timeout=10)]

    assert states[-1] == "shipped"
    assert (await http.get(f"/api/orders/{order_id}")).json()["status"] == "shipped"
    assert (await bus.call(LIST_STOCK)).left["apple"] == before - 2

    async def is_told() -> bool:
        left: dict[str, int] = (await http.get("/api/stock")).json()["left"]
        return left.get("apple") == before - 2

    await until(is_told)
    await warehouse.logged("order shipped", order=order_id)


async def test_an_error_of_the_warehouse_reaches_whoever_ordered(
    shop: Service, warehouse: Service, bus: Bus, http: httpx.AsyncClient
) -> None:
    with pytest.raises(OutOfStock) as refused:
        await bus.call(PLACE_ORDER, PlaceOrder("pear", 11))
    assert refused.value.details == {"item": "pear", "left": 10}

    answer = await http.post("/api/orders", json={"item": "pear", "quantity": 11})
    assert (answer.status_code, answer.json()["detail"]) == (409, "Only 10 of 'pear' left")
    assert (await bus.call(LIST_STOCK)).left["pear"] == 10


async def test_without_the_warehouse_no_order_waits_for_long(shop: Service, http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/orders", json={"item": "apple"}, timeout=4)

    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The warehouse does not answer; try again in a minute",
    )
    assert (await http.get("/api/orders/nothing")).status_code == 404


async def test_what_was_ordered_while_the_warehouse_was_down_is_shipped_later(
    shop: Service, bus: Bus, redis_url: str
) -> None:
    with run("warehouse", redis_url):
        pass
    redis = client_of(redis_url)
    order = Order(id="ordered-meanwhile", item="apple", quantity=1)
    await Orders(redis).save(order)
    await redis.aclose()

    await bus.publish(ORDERS, OrderPlaced(order))

    with run("warehouse", redis_url) as warehouse:
        await warehouse.logged("order shipped", order=order.id)
        states = [order.status async for order in bus.stream(TRACK_ORDER, OrderId(order.id), timeout=10)]
        assert states[-1] == "shipped"
