"""A provider as the default itself: a forgotten `use(...)`."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User, UserRepo, provide_repo


# wrong
@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo = provide_repo) -> User:
    return await repo.find(user_id)


# right
@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
