"""A star at the name of a service, instead of a bare star before it."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
# wrong
# ! mypy daebus-signature: get_user(repo: UserRepo): neither the message nor the container can fill *repo -> name each parameter: left of a bare * what comes from the message, right of it the services
# ! registration unfillable-parameter: get_user(*repo: accounts.UserRepo): neither the message nor the container can fill it; name each parameter: left of a bare * what comes from the message, right of it the services; a decorator that replaces the handler needs functools.wraps
async def get_user(query: GetUser, *repo: UserRepo) -> User:
    return await repo[0].find(query.id)


# right
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both


app = Daebus("users", container=Container())
app.register_blueprint(users)
