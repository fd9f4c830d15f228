"""A payload that is annotated with a protocol."""

from typing import Protocol

from accounts import GetUser
from daebus import Blueprint, Daebus


class HasId(Protocol):
    id: str


users = Blueprint("users")


# wrong
@users.action("show")
# ! mypy daebus-signature: show(query: HasId): the payload cannot be decoded from a message into a HasId -> put a bare * before "query" if it is a service, or take a msgspec.Struct or a dataclass
# ! registration undecodable: show(query: HasId): it cannot be decoded from JSON: HasId has no JSON form; use a msgspec.Struct, a dataclass, or what msgspec supports; put a bare * before 'query' if it is a service
async def show(query: HasId) -> str:
    return query.id


# right
@users.action("show")
async def show(query: GetUser) -> str:
    return query.id


# both
app = Daebus("users")
app.register_blueprint(users)
