"""A handler that is added after its blueprint was registered: it would never be called."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")
app = Daebus("users")
# wrong
app.register_blueprint(users)
# both


# ! mypy daebus-signature: get_user: it comes too late: users was registered && -> define every handler before its blueprint is registered
# ! registration too-late: action get_user of 'users': it comes too late: the blueprint was registered at && define every handler before its blueprint is registered
@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# right
app.register_blueprint(users)
