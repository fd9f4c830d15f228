"""A reply without an annotation."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
@users.action("get_user")
# ! mypy daebus-signature: get_user: the type that it returns is not annotated -> write -> Reply, or -> None
# ! mypy no-untyped-def: Function is missing a return type annotation
# ! registration missing-return: get_user: the type that it returns is not annotated; annotate it: -> Reply, or -> None
# ! zuban strict no-untyped-def
async def get_user(query: GetUser):
    return User(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
