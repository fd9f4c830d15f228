"""`event_id=` with a field that the items do not have."""

from collections.abc import AsyncIterator

from accounts import LIST_USERS, GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: list_users: event_id="number", but User has no such field -> did you mean "name"?
# ! registration wrong-option: route GET && event_id='number', but the User has no such field; did you mean 'name'?
@users.action(LIST_USERS, sse="GET /users/<id>", event_id="number")
# right
@users.action(LIST_USERS, sse="GET /users/<id>", event_id="id")
# both
async def list_users(query: GetUser) -> AsyncIterator[User]:
    yield User(query.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
