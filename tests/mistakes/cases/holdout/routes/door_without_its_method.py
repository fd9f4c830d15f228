"""A door with a path and no method."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: get_user: http=" && is not a method and a path -> write http="GET
# ! registration malformed-path: @action('get_user'): http=' && is not a method and a path; write http="GET
@users.action("get_user", http="/users/<id>")
# right
@users.action("get_user", http="GET /users/<id>")
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
