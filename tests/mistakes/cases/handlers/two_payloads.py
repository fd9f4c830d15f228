"""Two payloads."""

import msgspec

from accounts import User
from daebus import Blueprint, Daebus


class Rename(msgspec.Struct):
    id: str
    name: str


users = Blueprint("users")


# wrong
@users.action("rename")
# ! mypy daebus-signature: rename(name: str): an action takes one payload, and "id" is already the payload -> put a bare * before "name" if it is a service, or make one msgspec.Struct of both
# ! registration second-payload: rename(name: str): an action takes one payload, and 'id' is already the payload; put a bare * before 'name' if it is a service, or make one msgspec.Struct of both
async def rename(id: str, name: str) -> User:
    return User(id, name)


# right
@users.action("rename")
async def rename(change: Rename) -> User:
    return User(change.id, change.name)


# both
app = Daebus("users")
app.register_blueprint(users)
