"""A handler that is a method."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
class Users:
    @users.action("get_user")
    # ! mypy daebus-signature: get_user: a handler is a function, not a method -> move it out of the class
    # ! registration method-as-handler: get_user(self): it is a method, and its first parameter would never be passed; move it out of the class
    async def get_user(self, query: GetUser) -> User:
        return User(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
