"""Two handlers of one action in one blueprint."""

from litestar import Litestar, get

from accounts import User


@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# wrong
@get("/users/{user_id:str}")
async def find_user(user_id: str) -> User:
    return User(user_id)


# right
@get("/users/{user_id:str}/found")
async def find_user(user_id: str) -> User:
    return User(user_id)


# both
app = Litestar([get_user, find_user])
SEND = "GET /users/u1"
