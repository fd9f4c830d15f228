"""The service that is attacked: ``daebus run tests/hostile/victim.py:app``. Nothing that it does may be `Internal`."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

import msgspec

from daebus import (
    Action,
    Bus,
    Channel,
    Client,
    Context,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    Message,
    Room,
    Rooms,
    ServiceContainer,
)
from daebus.errors import NotFound

__all__ = ["DURABLE", "EVENTS", "app"]


class Address(msgspec.Struct):
    street: str
    zip: Annotated[str, msgspec.Meta(pattern=r"^\d{5}$")] = "00000"


class User(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    age: Annotated[int, msgspec.Meta(ge=0, le=150)] = 0
    tags: list[str] = []
    address: Address | None = None
    born: dt.date | None = None
    scores: dict[str, float] = {}


class Created(msgspec.Struct, tag="created"):
    user: User


class Deleted(msgspec.Struct, tag="deleted"):
    user_id: str


class Params(msgspec.Struct):
    room: int = 0
    tags: list[str] = []


EVENTS = Channel[Created | Deleted]("user_events")
_ECHO = Action[str, Any]("echo", service="victim")
DURABLE = Channel[Created | Deleted]("user_log", durable=True)


ROOM = Room[Params]("room:{name}", history=10)
TOLD = Message[str]("told")


class Known(msgspec.Struct):
    id: str


async def find_known(credentials: Credentials) -> Known | None:
    return Known("k1") if credentials.token == "known" else None


class Container(ServiceContainer):
    user = Identity(find_known)


app = Daebus("victim", container=Container())
app.attach(DaebusHttp(schema=True))
app.attach(DaebusWebSocket())


@app.action("echo")
async def echo(data: Any) -> Any:
    return data


@app.action("user", http="PUT /door/<id>", socket="door")
async def user(query: User) -> User:
    if query.id == "missing":
        raise NotFound(f"User {query.id} not found", details={"id": query.id})
    return query


@app.action("nothing")
async def nothing(context: Context) -> None: ...


@app.action("in_thread")
def in_thread(query: User) -> User:
    return query


@app.action("params", http="GET /params/<room>")
async def params(query: Params) -> Params:
    return query


@app.action("count", sse="GET /count/<to>")
async def count(to: int) -> AsyncGenerator[int]:
    for number in range(min(to, 5)):
        yield number


@app.action("relay")
async def relay(data: str, *, bus: Bus) -> Any:
    """Asks another action, so that this process waits for replies, too."""
    return await bus.call(_ECHO, data)


@app.listen(EVENTS)
async def on_event(event: Created | Deleted) -> None: ...


@app.listen(DURABLE)
async def on_logged_event(event: Created | Deleted) -> None: ...


@app.socket_connect()
async def connect(params: Params, client: Client) -> Params:
    return params


@app.socket_join(ROOM)
async def join(name: str, client: Client) -> Params:
    return Params(tags=[name])


@app.action("tell", socket="tell")
async def tell(data: str, *, rooms: Rooms) -> None:
    await rooms.send(ROOM(name="a"), TOLD, data)


@app.socket("echo")
async def socket_echo(data: Any) -> Any:
    return data


@app.socket("user")
async def socket_user(data: User, client: Client) -> User:
    return data


@app.socket("known")
async def known_only(*, user: Known) -> Known:
    return user


@app.socket("silent")
async def socket_silent(data: User | None) -> None: ...


@app.route("/users/<user_id>")
async def get_user(user_id: str, page: int = 0, since: dt.date | None = None) -> User:
    if user_id == "missing":
        raise NotFound(f"User {user_id} not found")
    return User(user_id[:64])


@app.route("/numbers/<number>")
async def get_number(number: int, scale: float = 1.0) -> float:
    return number * scale if abs(number) < 1 << 53 else 0.0


@app.route("/things/<thing>")
async def get_thing(thing: UUID, tags: list[str] | None = None) -> list[str]:
    return [str(thing), *(tags or [])]


@app.route("/users", methods=["POST"])
async def post_user(data: User) -> User:
    return data


@app.route("/users/<user_id>", methods=["PUT"], status_code=204)
async def put_user(user_id: str, data: User | None) -> None: ...


@app.route("/anything", methods=["POST"])
async def post_anything(data: dict[str, object]) -> dict[str, object]:
    return data


@app.route("/headers")
async def get_headers(headers: dict[str, str], cookies: dict[str, str]) -> int:
    return len(headers) + len(cookies)
