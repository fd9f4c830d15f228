"""A decoded body in a parameter `body`, which in Litestar is the raw bytes."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


@users.route("/users", methods=["POST"])
# wrong
# ! mypy daebus-signature: add_user(body: GetUser): "body" has a special meaning in Litestar, which cannot be of type GetUser -> take the decoded body by its name: data: GetUser
# ! registration reserved-name: add_user(body: GetUser): 'body' has a special meaning in Litestar, the body as bytes, which is never of type GetUser; write body: bytes, or take the decoded body by its name: data: GetUser
async def add_user(body: GetUser) -> User:
    return User(body.id)


# right
async def add_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
