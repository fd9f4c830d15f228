"""The service whose actions have doors, which docs/guide.md shows piece by piece."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from dependency_injector import providers

from daebus import (
    Action,
    Blueprint,
    Bus,
    Channel,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Followed,
    Identity,
    ServiceContainer,
    StreamAction,
)
from daebus.errors import NotFound


class Product(msgspec.Struct):
    id: str
    price: int


class FindProducts(msgspec.Struct):
    shop: str
    words: list[str] = []
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class SetPrice(msgspec.Struct):
    id: str
    price: int


class Watch(msgspec.Struct):
    id: str


FIND = Action[FindProducts, list[Product]]("find", service="products")
SET_PRICE = Action[SetPrice, Product]("set_price", service="products")
PRICES = StreamAction[Watch, int]("prices", service="products")
CHANGES = Channel[Product]("price_changes", durable=True, keep=600)


class Seller(msgspec.Struct):
    name: str


async def find_seller(credentials: Credentials) -> Seller | None:
    return Seller(credentials.token) if credentials.token else None


class Products:
    def __init__(self) -> None:
        self.known = {"cup": Product("cup", 5), "tea pot": Product("tea pot", 30)}

    def find(self, name: str) -> Product:
        if name not in self.known:
            raise NotFound(f"There is no {name}")
        return self.known[name]


class Container(ServiceContainer):
    repo = providers.Singleton(Products)
    user = Identity(find_seller)


products = Blueprint("products", services=Container, prefix="/api")


def may_sell(user: Seller, change: SetPrice) -> bool:
    return user.name != "guest"


@products.action(FIND, http="GET /shops/<shop>/products", socket="find")
async def find(query: FindProducts, *, repo: Products) -> list[Product]:
    found = [product for product in repo.known.values() if not query.words or product.id in query.words]
    return found[: query.limit]


@products.action(SET_PRICE, http="PUT /products/<id>", socket="set_price", requires=may_sell)
async def set_price(change: SetPrice, *, user: Seller, repo: Products, bus: Bus) -> Product:
    product = repo.find(change.id)
    product.price = change.price
    await bus.publish(CHANGES, product)
    return product


@products.action(PRICES, sse="GET /products/<id>/prices")
async def prices(watch: Watch, *, repo: Products) -> AsyncIterator[int]:
    product = repo.find(watch.id)
    for percent in (0, 10, 20):
        yield product.price * (100 - percent) // 100


class Follow(msgspec.Struct):
    after: str | None = None


@products.action("changes", sse="GET /changes", event_id="id", resume="after")
async def changes(query: Follow, *, bus: Bus) -> AsyncIterator[Followed[Product]]:
    async for event in bus.follow(CHANGES, after=query.after):
        yield event


app = Daebus("products", container=Container())
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())
app.register_blueprint(products)
