"""A path parameter with a colon, as in Express."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_user: ':user_id' is not how a path parameter is written -> write <user_id>, and annotate it: user_id: str
# ! registration malformed-path: route GET && ':user_id' is not how a path parameter is written; write <user_id>, and annotate it: user_id: str
@users.route("/users/:user_id")
# right
@users.route("/users/<user_id>")
# both
async def get_user(user_id: str) -> User:
    return User(user_id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
