"""A generator that is `def`: nobody would iterate over it."""

from collections.abc import Iterator

from litestar import Litestar, get

from accounts import User


# wrong
@get("/users")
def list_users() -> Iterator[User]:
    yield User("u1")


# right
@get("/users")
async def list_users() -> list[User]:
    return [User("u1")]


# both
app = Litestar([list_users])
SEND = "GET /users"
