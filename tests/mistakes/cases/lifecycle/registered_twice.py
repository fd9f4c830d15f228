"""A blueprint that is registered twice."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
# wrong
# ! mypy daebus-duplicate: users: it is registered already && -> remove one of the two
# ! registration duplicate-blueprint: register_blueprint('users'): a blueprint of this name was registered at && register it once, or rename one of the two
app.register_blueprint(users)
