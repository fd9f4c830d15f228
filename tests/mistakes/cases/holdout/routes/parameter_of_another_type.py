"""A path parameter whose type in the path is not that in the signature."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_user: '<user_id:int>' is not how a path parameter is written -> write <user_id>, and annotate it: user_id: int
# ! registration malformed-path: route GET && '<user_id:int>' is not how a path parameter is written; write <user_id>, and annotate it: user_id: int
@users.route("/users/<user_id:int>")
# right
@users.route("/users/<user_id>")
# both
async def get_user(user_id: str) -> User:
    return User(user_id.lower())


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
