"""A path parameter that is called otherwise in the signature."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User


# wrong
@get("/users/{user_id:str}")
async def get_user(userid: str) -> User:
    return User(userid)


# right
@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
