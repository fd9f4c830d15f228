"""An app whose document has all that Litestar's own lacks."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec

from daebus import Action, Blueprint, Credentials, Daebus, DaebusHttp, Identity, ServiceContainer
from daebus.errors import Conflict, NotFound


class Size(enum.Enum):
    """How large it is."""

    SMALL = "S"
    LARGE = "L"


class Circle(msgspec.Struct, tag="circle"):
    """A round thing."""

    radius: Annotated[float, msgspec.Meta(gt=0)]


class Square(msgspec.Struct, tag="square"):
    side: Annotated[int, msgspec.Meta(ge=0)]


class Item(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A thing for sale.

    Only what is for sale is an item.

    Attributes:
        price_each: What one of it costs,
            in euros.
        shape: Its shape.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=20, examples=["cup", "plate"])]
    price_each: Decimal
    shape: Circle | Square
    size: Size = Size.SMALL
    tags: list[str] = []
    parts: list[Item] = []
    made_at: datetime | None = None


class Restock(msgspec.Struct):
    """Puts more of it on the shelf.

    Attributes:
        key: Its key.
        count: How many.
    """

    key: str
    count: Annotated[int, msgspec.Meta(gt=0)]


class Look(msgspec.Struct):
    """What to look up.

    Attributes:
        key: Its key.
        limit: How many to return.
    """

    key: Annotated[str, msgspec.Meta(max_length=8)]
    limit: Annotated[int, msgspec.Meta(ge=0, le=50)] = 5


class SoldOut(Conflict):
    """There is none left."""

    code = "sold_out"


class User(msgspec.Struct):
    name: str


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token) if credentials.token else None


class Container(ServiceContainer):
    user = Identity(find_user)


def is_seller(user: User) -> bool:
    return user.name == "seller"


items = Blueprint("items", services=Container)
stock = Blueprint("stock", services=Container)

LOOK = Action[Look, list[str]]("look", service="corner_shop")


@items.route("/items/<item_id>", raises=[NotFound])
async def show(item_id: UUID, size: Size = Size.LARGE, page: Annotated[int, msgspec.Meta(ge=0)] = 0) -> Item:
    """One item.

    Args:
        item_id: The id of the item.
        page: Which page of its reviews.
    """
    raise NotFound(str(item_id))


@items.route("/items", methods=["POST", "PUT"], status_code=201, requires=is_seller, raises=[SoldOut])
async def add(data: Item, *, user: User) -> Item:
    if data.name == "gone":
        raise SoldOut
    return data


@items.route("/shapes", methods=["POST"], status_code=200)
async def mirror(data: Circle | Square) -> Circle | Square:
    return data


@items.route("/anything", methods=["POST"], status_code=200)
async def anything(data: dict[str, Any]) -> list[object]:
    return [data]


@stock.route("/stock/show")
async def show_stock() -> str:
    return "many"


@stock.action(LOOK, http="GET /look/<key>")
async def look(query: Look) -> list[str]:
    return [query.key] * query.limit


@stock.action("restock", http="PUT /stock/<key>")
async def restock(query: Restock) -> None: ...


app = Daebus("corner_shop", container=Container())
app.attach(DaebusHttp())
app.register_blueprint(items)
app.register_blueprint(stock)
