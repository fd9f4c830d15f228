"""A service with every type that msgspec knows, in every place: the documents and clients of it must say the same."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import itertools
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daebus import (
    Action,
    Blueprint,
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
from daebus.errors import Conflict, Forbidden, Gone, NotFound

T = TypeVar("T")
K = TypeVar("K")

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Colour(enum.Enum):
    """The colours of the shop."""

    RED = "red"
    DARK_GREEN = "dark-green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


class Scalars(msgspec.Struct, kw_only=True):
    """One of each scalar.

    Attributes:
        yes: Whether it is so.
        text: Any text,
            also in two lines.
    """

    yes: bool
    number: int
    large: Int64
    ratio: float
    text: str
    blob: bytes
    nothing: None
    anything: object
    maybe: int | None
    either: int | str


class Times(msgspec.Struct, kw_only=True):
    """Points in time, with a zone and without, and what is near to them."""

    some: dt.datetime
    zoned: Annotated[dt.datetime, Meta(tz=True)]
    local: Annotated[dt.datetime, Meta(tz=False)]
    day: dt.date
    clock: dt.time
    clock_zoned: Annotated[dt.time, Meta(tz=True)]
    span: dt.timedelta


class Exact(msgspec.Struct, kw_only=True):
    price: Annotated[Decimal, Meta(description="The price, in euros.", examples=["9.50"])]
    id: uuid.UUID


class Bounds(msgspec.Struct, kw_only=True):
    percent: Annotated[int, Meta(ge=0, le=100, description="How much of it.", examples=[50])]
    even: Annotated[int, Meta(multiple_of=2, gt=-1000, lt=1000)]
    rate: Annotated[float, Meta(gt=0, lt=1)]
    code: Annotated[str, Meta(pattern="^[a-z]+$", min_length=2, max_length=8, title="The code")]
    few: Annotated[list[Annotated[str, Meta(max_length=3)]], Meta(min_length=1, max_length=3)]
    named: Annotated[dict[str, int], Meta(max_length=2)]


class Choices(msgspec.Struct, kw_only=True):
    colour: Colour
    level: Level
    word: Literal["on", "off"]
    digit: Literal[1, 2, 3]
    mixed: Literal["auto", 0] | None


class Point(NamedTuple):
    """A place on the screen."""

    x: int
    y: int = 0
    label: str = ""


class Options(TypedDict):
    """Options by name."""

    depth: int
    note: NotRequired[str]


@dataclass
class Size:
    """Width and height."""

    width: int
    height: int = 1


class Containers(msgspec.Struct, kw_only=True):
    items: list[int]
    unique: set[str]
    frozen: frozenset[int]
    many: tuple[int, ...]
    pair: tuple[int, str]
    by_name: dict[str, list[int]]
    by_number: dict[int, str]
    by_colour: dict[Colour, int]
    by_level: dict[Level, int]
    by_word: dict[Literal["a", "b"], int]
    by_day: dict[dt.date, int]
    by_id: dict[uuid.UUID, bool]
    point: Point
    options: Options
    size: Size


class Circle(msgspec.Struct, tag=True):
    """A circle."""

    radius: float


class Square(msgspec.Struct, tag="square"):
    side: float
    colour: Colour = Colour.RED


class Group(msgspec.Struct, tag=True):
    """Shapes in a shape."""

    shapes: list[Circle | Square | Group]


class Started(msgspec.Struct, tag_field="kind", tag=1):
    by: str


class Stopped(msgspec.Struct, tag_field="kind", tag=2):
    reason: str | None = None


class Move(msgspec.Struct, array_like=True, tag="move"):
    x: int
    y: int = 0


class Say(msgspec.Struct, array_like=True, tag="say"):
    words: list[str]


class Row(msgspec.Struct, array_like=True):
    """A row of a table."""

    key: str
    count: int
    note: str | None = None


class Unions(msgspec.Struct, kw_only=True):
    shape: Circle | Square | Group
    step: Started | Stopped
    command: Move | Say
    row: Row
    wide: float | str | dict[str, int] | Row | None
    maybe: Circle | Square | None = None


class Tree(msgspec.Struct):
    """A tree: its children are trees."""

    value: int
    children: list[Tree] = []
    parent: str | None = None


class Page(msgspec.Struct, Generic[T]):
    """A part of a list."""

    items: list[T]
    after: str | None = None


class Pair(msgspec.Struct, Generic[K, T]):
    first: K
    second: T


class Generics(msgspec.Struct, kw_only=True):
    numbers: Page[int]
    trees: Page[Tree]
    nested: Page[Pair[str, Page[Colour]]]


class Defaults(msgspec.Struct):
    """Everything has a default."""

    number: int = 3
    text: str = 'a "word"'
    flag: bool = True
    none: int | None = None
    items: list[str] = []
    filled: list[int] = msgspec.field(default_factory=lambda: [1, 2])
    table: dict[str, int] = {}
    colour: Colour = Colour.DARK_GREEN
    word: Literal["on", "off"] = "off"
    span: dt.timedelta = dt.timedelta(minutes=5)
    price: Decimal = Decimal("1.50")
    day: dt.date = dt.date(2026, 1, 31)
    size: Size = msgspec.field(default_factory=lambda: Size(2, 3))
    tree: Tree | None = None


class Absent(msgspec.Struct):
    """What is not known is left out."""

    id: str
    name: str | UnsetType = UNSET
    age: int | UnsetType | None = UNSET


class Short(msgspec.Struct, omit_defaults=True):
    """What has its default is left out."""

    id: str
    count: int = 0
    note: str = ""


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str
    last_name: str = msgspec.field(name="surname")
    class_: str = msgspec.field(name="class", default="")
    with_dash: int = msgspec.field(name="with-dash", default=0)


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """Other fields are refused."""

    id: str
    count: int = 0


class Everything(msgspec.Struct, kw_only=True):
    """All of it."""

    scalars: Scalars
    times: Times
    exact: Exact
    bounds: Bounds
    choices: Choices
    containers: Containers
    unions: Unions
    tree: Tree
    generics: Generics
    defaults: Defaults
    absent: Absent
    short: Short
    renamed: Renamed
    strict: Strict


class Search(msgspec.Struct):
    """A search, whose fields are in the path and in the query string."""

    shop: str
    words: list[str] = []
    colour: Colour | None = None
    day: dt.date | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    strict: bool = False


class Change(msgspec.Struct, rename="camel"):
    """A change, whose id is in the path."""

    item_id: uuid.UUID
    new_price: Decimal
    old_price: Decimal | UnsetType = UNSET


class Watcher(msgspec.Struct):
    """What the members of a room see of each other."""

    name: str
    colour: Colour = Colour.RED


class After(msgspec.Struct):
    after: int = 0


class Step(msgspec.Struct):
    number: int


class Card(msgspec.Struct):
    shop: str
    text: str
    times: int = 1


class Arrival(msgspec.Struct):
    """The parameters of a WebSocket."""

    name: str = "somebody"
    number: int | None = None


class Welcome(msgspec.Struct):
    name: str


class SoldOut(Conflict):
    """There is none left.

    Code ``sold_out``, HTTP status 409.
    """

    code = "sold_out"


ECHO = Action[Everything, Everything]("echo", service="torture")
SEARCH = Action[Search, Search]("search", service="torture")
CHANGE = Action[Change, Change]("change", service="torture")
COUNT = StreamAction[int, Pair[int, Colour]]("count", service="torture")
SHAPES = Channel[Circle | Square | Group]("shapes", durable=True, retention=3600, keep=60)
STEPS = Channel[Started | Stopped]("steps")
TREES = Channel[Tree]("trees:grown")
NOTICE = Message[Defaults]("notice")
TICK = Message[None]("tick")
BOARD = Room[Watcher]("board:{shop}:{number}", history=5, keep=dt.timedelta(seconds=90))
QUIET = Room[None]("quiet", latest=True)


class User(msgspec.Struct):
    name: str


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token) if credentials.token not in ("", "nobody") else None


class Container(ServiceContainer):
    user = Identity(find_user)


torture = Blueprint("torture", services=Container)


@torture.action(ECHO, http="POST /echo", socket="echo")
async def echo(everything: Everything) -> Everything:
    """Gives back what it gets.

    All of it, */ also this.
    """
    return everything


@torture.action(SEARCH, http="GET /shops/<shop>/search", socket="search")
async def search(query: Search) -> Search:
    """Gives back the search."""
    return query


@torture.action(CHANGE, http="PUT /items/<itemId>")
async def change(change: Change) -> Change:
    return change


@torture.action(COUNT, sse="GET /count", socket="count")
async def count(n: int) -> AsyncIterator[Pair[int, Colour]]:
    """Counts up to a number; -1 and -2 are refused, at once and later."""
    if n == -1:
        raise Forbidden("This is no number")
    for number in range(max(n, 1) if n < 0 else n):
        yield Pair(number, Colour.RED)
    if n < 0:
        raise SoldOut("There are no more")


@torture.action("steps", sse="GET /steps", event_id="number", resume="after")
async def steps(query: After) -> AsyncIterator[Step]:
    """Steps after a number, without end; after 1,000,000 they are no longer kept."""
    if query.after >= 1_000_000:
        raise Gone("These steps are no longer kept")
    for number in itertools.count(query.after + 1):
        yield Step(number)
        await asyncio.sleep(0.001)


@torture.action("add")
async def add(numbers: list[int]) -> int:
    """Adds numbers."""
    return sum(numbers)


@torture.action("a.b")
async def dotted() -> str:
    return "a.b"


@torture.action("a_b")
async def underscored() -> int:
    return 0


@torture.action("nothing", http="POST /nothing", socket="nothing")
async def nothing() -> None:
    """Takes nothing and gives nothing."""


@torture.listen(SHAPES, name="shapes")
async def on_shape(event: Circle | Square | Group) -> None: ...


@torture.listen(STEPS)
async def on_step(event: Started | Stopped) -> None: ...


@torture.listen(TREES)
async def on_tree(event: Tree) -> None: ...


@torture.route("/things/<thing_id>", raises=[NotFound, SoldOut])
async def thing(thing_id: uuid.UUID, level: Level = Level.LOW, tags: list[str] | None = None) -> Strict:
    """One thing."""
    if level is Level.HIGH:
        raise SoldOut("There is none", details={"level": 10, "tags": tags})
    return Strict(str(thing_id), len(tags or []))


@torture.route("/shapes", methods=["POST"], status_code=201)
async def add_shape(data: Circle | Square | Group, times: int = 1) -> list[Circle | Square | Group]:
    """Adds a shape, some times."""
    return [data] * times


@torture.route("/things/<thing_id>", methods=["DELETE"])
async def remove_thing(thing_id: uuid.UUID) -> None:
    """Removes a thing."""


@torture.socket_connect()
async def arrive(arrival: Arrival) -> Welcome:
    """Who is there."""
    return Welcome(arrival.name)


@torture.socket_join(BOARD)
async def join_board(shop: str, number: int) -> Watcher:
    """The board of a shop."""
    return Watcher(f"{shop}{number}")


@torture.socket_join(QUIET)
async def join_quiet() -> None: ...


@torture.action("post", http="POST /boards/<shop>", socket="post")
async def post(card: Card, *, rooms: Rooms) -> int:
    """Posts a text on the board of a shop, some times."""
    for number in range(card.times):
        await rooms.send(BOARD(shop=card.shop, number=1), NOTICE, Defaults(number=number, text=card.text))
    return card.times


@torture.socket("tick")
async def tick(client: Client, *, clients: Clients) -> None:
    """Sends `tick` to all clients."""
    await clients.broadcast(TICK, None)


@torture.action("slow", http="GET /slow", socket="slow")
async def slow(seconds: float) -> float:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return seconds


@torture.action("whoami", http="GET /whoami", socket="whoami")
async def whoami(*, user: User) -> str:
    """The name of the user."""
    return user.name


app = Daebus("torture", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(torture)
