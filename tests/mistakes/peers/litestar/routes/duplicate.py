"""Two handlers of one route; only the names of the parameters differ."""

from litestar import Litestar, get

from accounts import User


@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# wrong
@get("/users/{name:str}")
async def get_user_by_name(name: str) -> User:
    return User("u1", name)


# right
@get("/users/by-name/{name:str}")
async def get_user_by_name(name: str) -> User:
    return User("u1", name)


# both
app = Litestar([get_user, get_user_by_name])
SEND = "GET /users/u1"
