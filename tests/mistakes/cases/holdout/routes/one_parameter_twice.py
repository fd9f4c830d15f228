"""A path with one parameter twice."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_friend: the path ' && has <id> twice -> give each parameter a name of its own
# ! registration malformed-path: route GET && the path ' && has <id> twice; give each parameter a name of its own
@users.route("/users/<id>/friends/<id>")
async def get_friend(id: str) -> User:
    return User(id)


# right
@users.route("/users/<id>/friends/<friend>")
async def get_friend(id: str, friend: str) -> User:
    return User(id + friend)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
