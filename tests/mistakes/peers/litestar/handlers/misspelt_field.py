"""A field that the payload does not have."""

from litestar import Litestar, post

from accounts import DEPENDENCIES, GetUser, User


# wrong
@post("/users")
async def get_user(data: GetUser) -> User:
    return User(data.user_id)


# right
@post("/users")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
