"""Events that nobody could tell apart, as they have no tag."""

from typing import Literal

from faststream import FastStream
from faststream.redis import RedisBroker
from pydantic import BaseModel

broker = RedisBroker()
app = FastStream(broker)


# wrong
class Paid(BaseModel):
    id: str


class Shipped(BaseModel):
    id: str


# right
class Paid(BaseModel):
    kind: Literal["paid"]
    id: str


class Shipped(BaseModel):
    kind: Literal["shipped"]
    id: str


# both
@broker.subscriber("orders")
async def on_order(event: Paid | Shipped) -> str:
    return type(event).__name__


SEND = 'orders {"kind": "shipped", "id": "o1"}'
