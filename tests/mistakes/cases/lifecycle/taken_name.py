"""Two blueprints with handlers of the same action."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, Settings

users = Blueprint("users")
# wrong
admins = Blueprint("admins")
# right
admins = Blueprint("admins", namespace="admins")
# both


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# ! registration taken-name: action get_user of blueprint 'admins': blueprint 'users' has it already, at && rename one of the two, give a prefix or namespace, or let the last one win with Settings(on_conflict='warn')
@admins.action("get_user")
async def get_admin(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users", settings=Settings(on_conflict="error"))
app.register_blueprint(users)
app.register_blueprint(admins)
