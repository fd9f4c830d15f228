"""A decoded body that is called `body`, under which name Litestar gives the bytes."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


@users.route("/users", methods=["POST"])
# wrong
# ! mypy daebus-signature: add_user(body: GetUser): Litestar gives "body" a meaning of its own, which cannot be of type GetUser -> take the decoded body by its name: data: GetUser
# ! registration reserved-name: add_user(body: GetUser): Litestar gives 'body' a meaning of its own, the body as bytes, which is never of type GetUser; write body: bytes, or take the decoded body by its name: data: GetUser
async def add_user(body: GetUser) -> User:
    return User(body.id)


# right
async def add_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
