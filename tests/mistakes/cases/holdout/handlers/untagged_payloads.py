"""One of two payloads, which have no tags."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
@users.action("show")
# ! mypy daebus-signature: show(query: GetUser | User): the structs of GetUser | User cannot be told apart in a message -> give each of them a tag: class Created(msgspec.Struct, tag=True)
# ! registration undecodable: show(query: GetUser | User): it cannot be decoded from JSON: If a type union contains multiple Struct types, all Struct types must be tagged (via `tag` or `tag_field` kwarg); give each of them a tag: class Created(msgspec.Struct, tag=True); put a bare * before 'query' if it is a service
async def show(query: GetUser | User) -> str:
    return query.id


# right
@users.action("show")
async def show(query: GetUser) -> str:
    return query.id


# both
app = Daebus("users")
app.register_blueprint(users)
