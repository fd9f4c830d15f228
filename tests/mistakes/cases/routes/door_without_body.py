"""A GET for an action whose payload needs a body."""

import msgspec

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


class Search(msgspec.Struct):
    user: GetUser


# wrong
# ! mypy daebus-path: search: a GET request has no body, and "user", a GetUser, cannot be read from a query string -> use a method with a body: "POST
# ! registration not-in-query: route GET && a GET request has no body, and 'user', a GetUser, cannot be read from a query string; use a method with a body: "POST
@users.action("search", http="GET /search")
# right
@users.action("search", http="POST /search")
# both
async def search(query: Search) -> User:
    return User(query.user.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
