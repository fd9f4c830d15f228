"""A path parameter that the handler does not take."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User, UserRepo


# wrong
@get("/users/{user_id:str}")
async def get_user(repo: UserRepo) -> User:
    return await repo.find("")


# right
@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
