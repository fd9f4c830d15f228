"""A handler with `**kwargs`, for which there is no source of values."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
@users.action("get_user")
# ! mypy daebus-signature: get_user(kwargs: str): neither the message nor the container can fill **kwargs -> name each parameter: left of a bare * what comes from the message, right of it the services
# ! registration unfillable-parameter: get_user(**kwargs: str): neither the message nor the container can fill it; name each parameter: left of a bare * what comes from the message, right of it the services; a decorator that replaces the handler needs functools.wraps
async def get_user(query: GetUser, **kwargs: str) -> User:
    return User(query.id, **kwargs)


# right
@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
