"""An action that is opened at the path of a route."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
@users.action("get_user", http="GET /users/<id>")
# right
@users.action("get_user", http="GET /by-id/<id>")
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


# ! mypy daebus-duplicate: show_user: GET && is handled by get_user already && -> rename or remove one of the two
# ! registration duplicate-handler: route GET && of blueprint 'users': the blueprint has it already, at && rename or remove one of the two
@users.route("/users/<id>")
async def show_user(id: str) -> User:
    return User(id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
