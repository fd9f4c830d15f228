"""What other services may import of the warehouse."""

import msgspec

from daebus import Action, Channel
from daebus.errors import Conflict


class OutOfStock(Conflict):
    """There is not enough of the item."""

    code = "out_of_stock"


class Reserve(msgspec.Struct):
    order_id: str
    item: str
    quantity: int


class Release(msgspec.Struct):
    order_id: str


class Reservation(msgspec.Struct):
    order_id: str
    left: int


class Shipped(msgspec.Struct, tag="shipped"):
    order_id: str


class StockLevel(msgspec.Struct, tag="stock_level"):
    item: str
    left: int


class StockList(msgspec.Struct):
    left: dict[str, int]


RESERVE = Action[Reserve, Reservation]("reserve", service="warehouse")
RELEASE = Action[Release, None]("release", service="warehouse")
LIST_STOCK = Action[None, StockList]("list_stock", service="warehouse")

SHIPMENTS = Channel[Shipped]("shipments", durable=True)
# Not durable: every replica of the shop hears each level, and only the latest one matters.
STOCK_LEVELS = Channel[StockLevel]("stock_levels")
