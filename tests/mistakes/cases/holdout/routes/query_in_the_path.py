"""A query parameter in the path."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: list_users: the path ' && contains '?' -> declare a query parameter as a parameter of the handler, left of the *, not in the path
# ! registration malformed-path: route GET && the path ' && contains '?'; declare a query parameter as a parameter of the handler, left of the *, not in the path
@users.route("/users?limit=<limit>")
# right
@users.route("/users")
# both
async def list_users(limit: int) -> list[User]:
    return [User(str(limit))]


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
