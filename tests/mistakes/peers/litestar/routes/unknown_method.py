"""A method that HTTP does not have."""

from litestar import Litestar, route

from accounts import DEPENDENCIES, GetUser, User


# wrong
@route("/users", http_method=["PSOT"])
async def get_user(data: GetUser) -> User:
    return User(data.id)


# right
@route("/users", http_method=["POST"])
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = 'POST /users {"id": "u1"}'
