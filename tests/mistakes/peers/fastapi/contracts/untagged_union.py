"""Events that nobody could tell apart, as they have no tag."""

from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


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
@app.post("/orders")
async def on_order(event: Paid | Shipped) -> str:
    return type(event).__name__


SEND = 'POST /orders {"kind": "shipped", "id": "o1"}'
