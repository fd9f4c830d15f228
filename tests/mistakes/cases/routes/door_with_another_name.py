"""A path of an action with a parameter that its payload does not have."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_user: the path has <user_id>, but the payload GetUser has no field "user_id" -> add the field "user_id" to it
# ! registration path-mismatch: route GET && the path has <user_id>, but the payload GetUser has no field 'user_id'; add the field 'user_id' to it, or correct the path
@users.action("get_user", http="GET /users/<user_id>")
# right
@users.action("get_user", http="GET /users/<id>")
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
