"""A decorator that does not exist."""

import litestar
from litestar import Litestar

from accounts import DEPENDENCIES, User


# wrong
@litestar.fetch("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# right
@litestar.get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
