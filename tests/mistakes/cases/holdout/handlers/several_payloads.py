"""Payloads by `*args`."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_users")
# ! mypy daebus-signature: get_users(queries: GetUser): neither the message nor the container can fill *queries -> name each parameter: left of a bare * what comes from the message, right of it the services
# ! registration unfillable-parameter: get_users(*queries: accounts.GetUser): neither the message nor the container can fill it; name each parameter: left of a bare * what comes from the message, right of it the services; a decorator that replaces the handler needs functools.wraps
async def get_users(*queries: GetUser, repo: UserRepo) -> list[User]:
    return [await repo.find(query.id) for query in queries]


# right
@users.action("get_users")
async def get_users(queries: list[GetUser], *, repo: UserRepo) -> list[User]:
    return [await repo.find(query.id) for query in queries]


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
