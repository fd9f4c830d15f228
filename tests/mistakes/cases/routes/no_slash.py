"""A path without a leading slash."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_user: the path 'users && does not begin with a slash -> write '
# ! registration malformed-path: route GET users && the path 'users && does not begin with a slash; write '
@users.route("users/<user_id>")
# right
@users.route("/users/<user_id>")
# both
async def get_user(user_id: str) -> User:
    return User(user_id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
