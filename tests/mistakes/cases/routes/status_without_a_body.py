"""A response body for a status that has no body."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! registration wrong-status: route POST && an answer with status 204 has no body, and the handler returns User; return nothing: -> None, or give another status
@users.route("/users", methods=["POST"], status_code=204)
# right
@users.route("/users", methods=["POST"], status_code=201)
# both
# ! mypy daebus-path: add_user: a response of status 204 has no body, and it returns User -> write -> None, or choose another status
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
