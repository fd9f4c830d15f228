"""A contract whose payload no JSON can become."""

from litestar import Litestar, post

from accounts import DEPENDENCIES, Database, GetUser, User


# wrong
@post("/users")
async def get_user(data: Database) -> User:
    return User(data.url)


# right
@post("/users")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
