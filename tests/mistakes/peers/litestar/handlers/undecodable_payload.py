"""A payload that no JSON can become."""

from litestar import Litestar, post

from accounts import DEPENDENCIES, GetUser, Session, User


# wrong
@post("/users")
async def get_user(data: Session) -> User:
    return data.execute("")


# right
@post("/users")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
