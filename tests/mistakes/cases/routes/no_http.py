"""A route in an app without HTTP."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# ! start-up not-attached: route GET && the app has no HTTP to serve it; call app.attach(DaebusHttp(port=8080)) before the start
@users.route("/users/<user_id>")
async def get_user(user_id: str) -> User:
    return User(user_id)


app = Daebus("users")
# right
app.attach(DaebusHttp())
# both
app.register_blueprint(users)
