"""Two handlers of one route; only the names of the parameters differ."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


@users.route("/users/<user_id>")
async def get_user(user_id: str) -> User:
    return User(user_id)


# wrong
# ! mypy daebus-duplicate: get_user_by_name: GET && is handled by get_user already && -> rename or remove one of the two
# ! start-up same-route: route GET && GET && is the same path to the router; change the path of one of the two
@users.route("/users/<name>")
# right
@users.route("/users/by-name/<name>")
# both
async def get_user_by_name(name: str) -> User:
    return User("u1", name)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
