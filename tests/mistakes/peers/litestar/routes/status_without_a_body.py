"""A body under a status that has none."""

from litestar import Litestar, post

from accounts import DEPENDENCIES, GetUser, User


# wrong
@post("/users", status_code=204)
async def get_user(data: GetUser) -> User:
    return User(data.id)


# right
@post("/users", status_code=201)
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
