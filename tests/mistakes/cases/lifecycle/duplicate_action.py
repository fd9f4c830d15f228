"""Two handlers of one action in one blueprint."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# wrong
# ! mypy daebus-duplicate: find_user: action "get_user" is handled by get_user already && -> rename or remove one of the two
# ! registration duplicate-handler: action get_user of blueprint 'users': the blueprint has it already, at && rename or remove one of the two
@users.action("get_user")
# right
@users.action("find_user")
# both
async def find_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
