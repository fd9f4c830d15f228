"""What other services may import of the shop."""

from typing import Annotated, Literal

import msgspec

from daebus import Action, Channel, StreamAction


class PlaceOrder(msgspec.Struct):
    item: str
    quantity: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class Order(msgspec.Struct):
    id: str
    item: str
    quantity: int
    status: Literal["placed", "shipped"] = "placed"


class OrderId(msgspec.Struct):
    id: str


class OrderPlaced(msgspec.Struct, tag="order_placed"):
    order: Order


PLACE_ORDER = Action[PlaceOrder, Order]("place_order", service="shop")
GET_ORDER = Action[OrderId, Order]("get_order", service="shop")
TRACK_ORDER = StreamAction[OrderId, Order]("track_order", service="shop")

# Durable: the warehouse ships each order once, by one of its replicas, also what was ordered while it was down.
ORDERS = Channel[OrderPlaced]("orders", durable=True)
