"""A handler that is a method."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User


# wrong
class Users:
    @get("/users/{user_id:str}")
    async def get_user(self, user_id: str) -> User:
        return User(user_id)


get_user = Users.get_user


# right
@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
