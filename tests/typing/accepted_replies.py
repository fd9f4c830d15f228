"""What may go back over the wire: everything that msgspec encodes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, ParamSpec, TypedDict, TypeVar, assert_type

import msgspec

from daebus import Blueprint, Bus, Client, Context, Daebus, DaebusHttp, DaebusWebSocket

P = ParamSpec("P")
T = TypeVar("T")
Id = NewType("Id", str)


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: int


class Dict(TypedDict):
    x: int


class Tuple(NamedTuple):
    x: int


class Colour(enum.Enum):
    RED = "red"


replies = Blueprint("replies")


@replies.action("struct")
async def struct() -> Page[int]:
    return Page([1])


@replies.action("dataclass")
def dataclass(query: Point) -> Point | None:
    return query


@replies.action("typed_dict")
async def typed_dict(context: Context, query: Dict) -> Dict:
    return query


@replies.action("named_tuple")
async def named_tuple(query: Tuple) -> Tuple:
    return query


@replies.action("enum")
async def member(query: Colour) -> Colour | bool:
    return query


@replies.action("tuple")
async def row() -> tuple[int, Id, bytes]:
    return 1, Id(""), b""


@replies.action("dict")
async def table() -> dict[uuid.UUID, list[Point]]:
    return {}


@replies.action("set")
async def numbers() -> set[int]:
    return {1}


@replies.action("any")
async def anything() -> Any:
    return 1


@replies.action("mapping")
async def mapping() -> Mapping[str, object]:
    return {}


@replies.action("annotated")
async def annotated() -> Annotated[int, msgspec.Meta(gt=0)]:
    return 1


@replies.action("literal")
def literal() -> Literal["a"] | None:
    return "a"


@replies.action("date")
async def date() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def logged(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    return function


@replies.action("wrapped")
@logged
async def wrapped(query: Point) -> Point:
    return query


@replies.action("raw")
async def raw() -> msgspec.Raw:
    return msgspec.Raw(b"1")


@replies.action("stream")
async def stream() -> AsyncIterator[decimal.Decimal]:
    yield decimal.Decimal(1)


@replies.socket("dict")
async def socket_dict(data: None) -> Dict | None:
    return None


@replies.socket("nothing")
def socket_nothing() -> None: ...


@replies.socket("stream")
async def socket_stream(data: Point, client: Client) -> AsyncIterator[decimal.Decimal | None]:
    yield None


@replies.socket_connect()
async def connect(params: Point, client: Client) -> dict[str, Any]:
    return {}


async def what_callers_get(bus: Bus) -> None:
    assert_type(await bus.call(struct), Page[int])
    assert_type(await bus.call(dataclass, Point(1)), Point | None)
    assert_type(await bus.call(annotated), int)
    assert_type(await bus.call(wrapped, Point(1)), Point)
    assert_type(await wrapped(Point(1)), Point)


app = Daebus("tests")
app.attach(DaebusHttp(port=0))
app.attach(DaebusWebSocket())
app.register_blueprint(replies)
