"""An option of the app that does not exist."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, User, UserRepo


@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


# wrong
app = Litestar([get_user], dependecies=DEPENDENCIES)

# right
app = Litestar([get_user], dependencies=DEPENDENCIES)

# both
SEND = "GET /users/u1"
