"""A name that is no text."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User


# wrong
@get(User)
async def get_user(user_id: str) -> User:
    return User(user_id)


# right
@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
