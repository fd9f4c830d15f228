"""A service whose tokens expire soon: a token is the name of its user and the time of its end, in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from daebus import (
    Blueprint,
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

NOTE = Message[str]("note")
LOBBY = Room[None]("lobby", history=100)


class User(msgspec.Struct):
    name: str
    until: datetime


async def find_user(credentials: Credentials) -> User | None:
    name, _, end = credentials.token.partition(".")
    until = datetime.fromtimestamp(int(end or 0) / 1000, UTC)
    return User(name, until) if until > datetime.now(UTC) else None


def end_of(user: User) -> datetime:
    return user.until


class Container(ServiceContainer):
    user = Identity(find_user, expires=end_of)


tokens = Blueprint("tokens", services=Container)


@tokens.action("whoami", http="GET /whoami", socket="whoami")
async def whoami(*, user: User) -> str:
    return user.name


@tokens.action("say", http="POST /say")
async def say(text: str, *, user: User, rooms: Rooms) -> None:
    await rooms.send(LOBBY(), NOTE, text)


@tokens.socket_join(LOBBY)
async def join(*, user: User) -> None: ...


app = Daebus("tokens", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(tokens)
