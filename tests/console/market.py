"""A fleet to look at: a shop, its payments and its mails, with an error now and then."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator
from enum import Enum
from typing import Annotated

import msgspec

from daebus import Action, Bus, Channel, Daebus, Settings, StreamAction
from daebus.errors import Conflict, NotFound

__all__ = ["FIND", "ORDERS", "PLACE", "PLACED", "RESTOCK", "Mails", "mails", "payments", "shop"]


class Delivery(Enum):
    POST = "post"
    COURIER = "courier"
    PICKUP = "pickup"


class Item(msgspec.Struct):
    sku: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}-\d{3}$", description="Such as CUP-001.")]
    count: Annotated[int, msgspec.Meta(ge=1, le=99)] = 1


class Card(msgspec.Struct, tag="card"):
    number: str
    holder: str = ""


class Invoice(msgspec.Struct, tag="invoice"):
    company: str
    due: dt.date | None = None


class PlaceOrder(msgspec.Struct):
    """An order of a customer."""

    customer: Annotated[str, msgspec.Meta(min_length=1, description="Who has ordered.")]
    items: list[Item]
    payment: Card | Invoice
    delivery: Delivery = Delivery.POST
    gift: bool = False
    note: str | None = None
    labels: dict[str, str] = {}


class Placed(msgspec.Struct):
    order: str
    total: float


class Offer(msgspec.Struct):
    sku: str
    price: float


class Restocked(msgspec.Struct):
    sku: str
    done: int


class OrderPlaced(msgspec.Struct, tag="order_placed"):
    order: str
    customer: str


PLACE = Action[PlaceOrder, Placed]("place_order", service="shop")
FIND = Action[str, list[Offer]]("find_offers", service="shop")
RESTOCK = StreamAction[int, Restocked]("restock", service="shop")
CHARGE = Action[float, str]("charge", service="payments")
ORDERS = Channel[OrderPlaced]("orders", durable=True)
PLACED = Channel[OrderPlaced]("placed")


def shop(version: str = "2.4.0", *, pause: float = 0.0) -> Daebus:
    """The shop; `pause`: how long its handlers take, at least, in seconds."""
    app = Daebus("shop", settings=Settings(version=version, stop_timeout=0.5))
    numbers = iter(range(4711, 1_000_000_000))

    @app.action(PLACE)
    async def place_order(order: PlaceOrder, *, bus: Bus) -> Placed:
        """Take an order, charge it, and tell everybody."""
        if order.customer == "nobody":
            raise NotFound("There is no customer 'nobody'")
        await asyncio.sleep(pause * random.uniform(1, 3))
        placed = Placed(f"A-{next(numbers)}", 12.5 * sum(one.count for one in order.items))
        await bus.publish(ORDERS, OrderPlaced(placed.order, order.customer))
        await bus.publish(PLACED, OrderPlaced(placed.order, order.customer))
        return placed

    @app.action(FIND)
    async def find_offers(words: str) -> list[Offer]:
        """Find what is sold."""
        await asyncio.sleep(pause * random.expovariate(2))
        return [Offer("CUP-001", 12.5), Offer("POT-002", 40.0)]

    @app.action(RESTOCK)
    async def restock(count: int) -> AsyncIterator[Restocked]:
        """Fill the shelves, one after another."""
        for number in range(count):
            yield Restocked(f"CUP-{number:03}", number + 1)
            await asyncio.sleep(0.15)

    @app.background("forget_baskets", 3600)
    async def forget_baskets() -> None:
        """Forget old baskets."""

    return app


def payments(*, pause: float = 0.0, errors: float = 0.0) -> Daebus:
    """The payments; `errors`: the share of charges that fail."""
    app = Daebus("payments", settings=Settings(version="1.9.2", stop_timeout=0.5))

    @app.action(CHARGE)
    async def charge(amount: float) -> str:
        """Charge a card."""
        await asyncio.sleep(pause * random.uniform(1, 8))
        if random.random() < errors:
            raise Conflict("The card was declined")
        return "paid"

    return app


class Mails:
    """The mails: a listener that fails as long as it is told to."""

    def __init__(self, *, fails: bool = True) -> None:
        self.fails = fails
        self.sent: list[OrderPlaced] = []

    def app(self) -> Daebus:
        app = Daebus("mails", settings=Settings(version="0.7.1", stop_timeout=0.5))

        @app.listen(ORDERS, name="mails.on_order", retries=0)
        async def on_order(event: OrderPlaced) -> None:
            """Thank the customer."""
            if self.fails and event.customer.startswith("bad"):
                raise ValueError(f"no address of {event.customer}")
            self.sent.append(event)

        @app.listen(PLACED)
        async def count(event: OrderPlaced) -> None:
            """Count orders."""

        return app


def mails() -> Daebus:
    """The mails, for a process of their own."""
    return Mails().app()
