"""The warehouse's handlers."""

from shop.contracts import ORDERS, OrderPlaced

from daebus import Blueprint, Bus, Logger
from warehouse.container import Container
from warehouse.contracts import (
    LIST_STOCK,
    RELEASE,
    RESERVE,
    SHIPMENTS,
    STOCK_LEVELS,
    Release,
    Reservation,
    Reserve,
    Shipped,
    StockLevel,
    StockList,
)
from warehouse.store import Stock

warehouse = Blueprint("warehouse", services=Container)


@warehouse.action(RESERVE)
async def reserve(wanted: Reserve, *, stock: Stock, bus: Bus) -> Reservation:
    left = await stock.reserve(wanted)
    await bus.publish(STOCK_LEVELS, StockLevel(wanted.item, left))
    return Reservation(wanted.order_id, left)


@warehouse.action(RELEASE)
async def release(data: Release, *, stock: Stock) -> None:
    await stock.release(data.order_id)


@warehouse.action(LIST_STOCK)
async def list_stock(*, stock: Stock) -> StockList:
    return StockList(await stock.levels())


@warehouse.listen(ORDERS)
async def on_order(event: OrderPlaced, *, stock: Stock, bus: Bus, logger: Logger) -> None:
    if await stock.ship(event.order.id):
        logger.info("order shipped", order=event.order.id)
    await bus.publish(SHIPMENTS, Shipped(event.order.id))


@warehouse.on_start()
async def open_doors(*, stock: Stock, bus: Bus) -> None:
    for item in ("apple", "pear"):
        await bus.publish(STOCK_LEVELS, StockLevel(item, await stock.fill(item, 10)))
