"""A service that the container does not have at all."""

from litestar import Litestar, get
from litestar.di import Provide

from accounts import User, UserRepo, provide_db, provide_repo

# wrong
DEPENDENCIES = {"repo": Provide(provide_repo)}

# right
DEPENDENCIES = {"repo": Provide(provide_repo), "db": Provide(provide_db)}


# both
@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
