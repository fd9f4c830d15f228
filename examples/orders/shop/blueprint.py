"""The shop's handlers."""

import asyncio
from collections.abc import AsyncIterator

from warehouse.contracts import (
    LIST_STOCK,
    RELEASE,
    RESERVE,
    SHIPMENTS,
    STOCK_LEVELS,
    Release,
    Reserve,
    Shipped,
    StockLevel,
    StockList,
)

from daebus import Blueprint, Bus, Logger
from daebus.errors import NotFound, Timeout, Unavailable
from shop.container import Container
from shop.contracts import GET_ORDER, ORDERS, PLACE_ORDER, TRACK_ORDER, Order, OrderId, OrderPlaced, PlaceOrder
from shop.store import Orders, Shelf

shop = Blueprint("shop", services=Container)


@shop.action(PLACE_ORDER)
async def place_order(wanted: PlaceOrder, *, orders: Orders, bus: Bus, logger: Logger) -> Order:
    order = orders.draft(wanted)
    try:
        # `OutOfStock` is not caught here: it is raised in the service that placed the order, as the same class.
        await bus.call(RESERVE, Reserve(order.id, order.item, order.quantity), timeout=2)
    except (Timeout, Unavailable) as error:
        # The reservation may have been made all the same. This waits in a queue until the warehouse is back.
        await bus.send(RELEASE, Release(order.id))
        logger.warning("warehouse does not answer", reason=error.message)
        raise Unavailable("The warehouse does not answer; try again in a minute") from error
    await orders.save(order)
    await bus.publish(ORDERS, OrderPlaced(order))
    return order


@shop.action(GET_ORDER)
async def get_order(query: OrderId, *, orders: Orders) -> Order:
    order = await orders.find(query.id)
    if order is None:
        raise NotFound(f"Order {query.id} not found")
    return order


@shop.action(TRACK_ORDER)
async def track_order(query: OrderId, *, orders: Orders) -> AsyncIterator[Order]:
    """The order, again each time its status changes, until it is shipped."""
    last = None
    while last != "shipped":
        order = await get_order(query, orders=orders)
        if order.status != last:
            yield order
        last = order.status
        await asyncio.sleep(0.1)


@shop.listen(SHIPMENTS)
async def on_shipped(event: Shipped, *, orders: Orders) -> None:
    order = await get_order(OrderId(event.order_id), orders=orders)
    order.status = "shipped"
    await orders.save(order)


@shop.listen(STOCK_LEVELS)
async def on_stock_level(event: StockLevel, *, shelf: Shelf) -> None:
    shelf.left[event.item] = event.left


@shop.on_start()
async def look_at_shelf(*, bus: Bus, shelf: Shelf, logger: Logger) -> None:
    try:
        stock = await bus.call(LIST_STOCK, timeout=2)
    except (Timeout, Unavailable):
        logger.info("warehouse is not there yet")  # it tells its levels when it starts
    else:
        shelf.left.update(stock.left)


@shop.route("/api/orders", methods=["POST"], status_code=201)
async def http_place_order(data: PlaceOrder, *, orders: Orders, bus: Bus, logger: Logger) -> Order:
    return await place_order(data, orders=orders, bus=bus, logger=logger)


@shop.route("/api/orders/<order_id>")
async def http_get_order(order_id: str, *, orders: Orders) -> Order:
    return await get_order(OrderId(order_id), orders=orders)


@shop.route("/api/stock")
async def http_list_stock(*, shelf: Shelf) -> StockList:
    return StockList(shelf.left)
