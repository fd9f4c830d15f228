"""A body that is not named `data`, as in FastAPI."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
@users.route("/users", methods=["POST"])
# ! start-up not-in-query: add_user(user: User): it is a query parameter, and a query string cannot hold a value of this type; name it `data` to take it from the body
async def add_user(user: User) -> User:
    return user


# right
@users.route("/users", methods=["POST"])
async def add_user(data: User) -> User:
    return data


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
