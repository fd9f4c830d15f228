"""A payload without an annotation."""

from litestar import Litestar, post

from accounts import DEPENDENCIES, GetUser, User


# wrong
@post("/users")
async def get_user(data) -> User:
    return User(data.id)


# right
@post("/users")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
