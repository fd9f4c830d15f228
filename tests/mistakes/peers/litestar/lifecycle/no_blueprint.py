"""A module that is registered instead of the blueprint in it."""

from litestar import Litestar, get

import accounts
from accounts import User


@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# wrong
app = Litestar([accounts])

# right
app = Litestar([get_user])

# both
SEND = "GET /users/u1"
