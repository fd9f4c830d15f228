"""A service whose name is misspelt."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User, UserRepo


# wrong
@get("/users/{user_id:str}")
async def get_user(user_id: str, rebo: UserRepo) -> User:
    return await rebo.find(user_id)


# right
@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
