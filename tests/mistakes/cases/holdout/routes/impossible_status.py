"""A status that does not exist."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: add_user: status_code=2001 is not the status of a complete response -> give a number from 200 to 599, such as 201
# ! registration wrong-status: route POST && status_code=2001 is not the status of a complete response; give a number from 200 to 599, such as 201
@users.route("/users", methods=["POST"], status_code=2001)
# right
@users.route("/users", methods=["POST"], status_code=201)
# both
async def add_user(data: User) -> User:
    return data


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
