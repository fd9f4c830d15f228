"""A GET with a body."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
@users.route("/users")
# right
@users.route("/users", methods=["POST"])
# both
# ! mypy daebus-signature: add_user(data: GetUser): a GET request has no body -> take query parameters by name, or serve the other methods by a handler of their own
# ! registration body-on-get: add_user(data: GetUser): a GET request has no body; take query parameters by name, or serve the other methods by a handler of their own
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
