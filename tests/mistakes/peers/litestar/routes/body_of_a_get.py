"""A GET with a body."""

from litestar import Litestar, get, post

from accounts import DEPENDENCIES, GetUser, User


# wrong
@get("/users")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# right
@post("/users")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
