"""A path parameter with another name in the signature."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_user: the path has <user_id>, but the handler does not take it -> did you mean <userid>?
@users.route("/users/<user_id>")
# ! registration path-mismatch: get_user: the path has <user_id>, but the handler does not take it; did you mean <userid>?
async def get_user(userid: str) -> User:
    return User(userid)


# right
@users.route("/users/<user_id>")
async def get_user(user_id: str) -> User:
    return User(user_id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
