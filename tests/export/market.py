"""A service with a contract of each kind, whose documents the tests read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from daebus import (
    Action,
    Blueprint,
    Bus,
    Channel,
    Client,
    Clients,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    Message,
    Room,
    Rooms,
    ServiceContainer,
    StreamAction,
)
from daebus.errors import NotFound


class GetOffer(msgspec.Struct):
    """Which offer.

    Attributes:
        id: Its id.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=36, description="The id of the offer.")]


class Offer(msgspec.Struct, forbid_unknown_fields=True):
    """An offer of a seller."""

    id: str
    price: Annotated[Decimal, msgspec.Meta(examples=["9.50"])]
    until: datetime
    tags: list[str] = []


class Sold(msgspec.Struct, tag=True):
    """An offer was sold."""

    id: str


class Withdrawn(msgspec.Struct, tag=True):
    """An offer was withdrawn."""

    id: str
    reason: str | None = None


class Pay(msgspec.Struct):
    cents: int


class Watcher(msgspec.Struct):
    name: str


class Arrival(msgspec.Struct):
    language: str = "en"


GET_OFFER = Action[GetOffer, Offer]("get_offer", service="market")
ALL_OFFERS = StreamAction[None, Offer]("all_offers", service="market")
PAY = Action[Pay, str]("pay", service="billing")
SALES = Channel[Sold | Withdrawn]("sales", durable=True)
RATES = Channel[float]("rates")
NOTICE = Message[str]("notice")
BID = Message[Pay]("bid")
AUCTION = Room[Watcher]("auction:{number}")


class User(msgspec.Struct):
    name: str


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token) if credentials.token else None


class Container(ServiceContainer):
    user = Identity(find_user)


market = Blueprint("market", services=Container)


def may_see(user: User, query: GetOffer) -> bool:
    return user.name != query.id


@market.action(GET_OFFER, requires=may_see)
async def get_offer(query: GetOffer, *, user: User) -> Offer:
    """Finds an offer.

    It must not be older than a year.
    """
    raise NotFound(query.id)


@market.action(ALL_OFFERS)
async def all_offers() -> AsyncIterator[Offer]:
    return
    yield


@market.action("ping")
async def ping() -> None: ...


@market.listen(SALES, name="mails")
async def on_sale(event: Sold | Withdrawn, *, bus: Bus) -> None:
    await bus.call(PAY, Pay(3))


@market.listen(RATES)
async def on_rate(rate: float, *, clients: Clients) -> None:
    await clients.broadcast(NOTICE, str(rate))


@market.route("/offers/<offer_id>")
async def show(offer_id: str) -> Offer:
    """One offer."""
    raise NotFound(offer_id)


@market.socket_connect()
async def welcome(arrival: Arrival, client: Client) -> str:
    return arrival.language


@market.socket("sell")
async def sell(offer: Offer, *, bus: Bus) -> str:
    await bus.publish(SALES, Sold(offer.id))
    return offer.id


@market.socket_join(AUCTION)
async def watch(number: int, client: Client) -> Watcher:
    """The auction with this number."""
    return Watcher(str(number))


@market.socket("bid")
async def place(bid: Pay, *, rooms: Rooms) -> None:
    await rooms.send(AUCTION(number=bid.cents), BID, bid)


app = Daebus("market", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket("/live"))
app.register_blueprint(market)
