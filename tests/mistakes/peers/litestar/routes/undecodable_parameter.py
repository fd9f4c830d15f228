"""A query parameter of a type that no request can hold."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User


class Thing:
    pass


# wrong
@get("/users")
async def get_user(thing: Thing) -> User:
    return User(str(thing))


# right
@get("/users")
async def get_user(thing: str) -> User:
    return User(thing)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users?thing=s1"
