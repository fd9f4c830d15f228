"""The service whose actions assistants may call, which docs/guide.md shows."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from dependency_injector import providers

from daebus import Action, Credentials, Daebus, DaebusHttp, Identity, ServiceContainer, StreamAction
from daebus.errors import NotFound


class Order(msgspec.Struct):
    """An order.

    Attributes:
        number: Its number, from 1.
        state: How far it is.
    """

    number: int
    state: str


class FindOrder(msgspec.Struct):
    """What to look for.

    Attributes:
        number: The number on the receipt.
    """

    number: Annotated[int, msgspec.Meta(ge=1)]


class Buyer(msgspec.Struct):
    name: str


async def find_buyer(credentials: Credentials) -> Buyer | None:
    return Buyer(credentials.token) if credentials.token else None


def make_orders() -> dict[int, Order]:
    return {1: Order(1, "paid")}


class Container(ServiceContainer):
    orders = providers.Singleton(make_orders)
    user = Identity(find_buyer)


FIND = Action[FindOrder, Order]("find_order", service="orders")
CANCEL = Action[FindOrder, None]("cancel_order", service="orders")
REPORT = StreamAction[int, str]("report", service="orders")

app = Daebus("orders", container=Container())
app.attach(DaebusHttp(port=0))


@app.action(FIND, tool=True)
async def find_order(query: FindOrder, *, orders: dict[int, Order]) -> Order:
    """Find an order by its number.

    The state is one of: paid, sent, cancelled.
    """
    if query.number not in orders:
        raise NotFound(f"There is no order {query.number}")
    return orders[query.number]


@app.action(CANCEL, tool=True)
async def cancel_order(query: FindOrder, *, user: Buyer, orders: dict[int, Order]) -> None:
    """Cancel an order."""
    orders[query.number].state = f"cancelled by {user.name}"


@app.action(REPORT, tool=True)
async def report(days: int) -> AsyncIterator[str]:
    """Report what was sold on each of the last days."""
    for day in range(days):
        yield f"day {day + 1}: 3 orders"
