"""Events that nobody could tell apart, as they have no tag."""

from litestar import Litestar, post
from msgspec import Struct


# wrong
class Paid(Struct):
    id: str


class Shipped(Struct):
    id: str


# right
class Paid(Struct, tag=True):
    id: str


class Shipped(Struct, tag=True):
    id: str


# both
@post("/orders")
async def on_order(data: Paid | Shipped) -> str:
    return type(data).__name__


app = Litestar([on_order])
SEND = 'POST /orders {"type": "Shipped", "id": "o1"}'
