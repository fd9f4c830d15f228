"""A blueprint that is registered twice."""

from litestar import Litestar, Router, get

from accounts import User


@get("/users/{user_id:str}")
async def get_user(user_id: str) -> User:
    return User(user_id)


users = Router("/", route_handlers=[get_user])


# wrong
app = Litestar([users, users])

# right
app = Litestar([users])

# both
SEND = "GET /users/u1"
