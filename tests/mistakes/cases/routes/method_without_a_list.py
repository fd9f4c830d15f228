"""One method without the list around it: each of its letters is taken for a method."""

from daebus import Blueprint, Daebus, DaebusHttp
from shop import GetUser, User

users = Blueprint("users")


# wrong
# ! registration wrong-method: route P|O|S|T && 'O' is no HTTP method that can be routed; use one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE
# ! registration wrong-method: route P|O|S|T && 'P' is no HTTP method that can be routed; use one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE
# ! registration wrong-method: route P|O|S|T && 'S' is no HTTP method that can be routed; use one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE
# ! registration wrong-method: route P|O|S|T && 'T' is no HTTP method that can be routed; use one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE
@users.route("/users", methods="POST")
# right
@users.route("/users", methods=["POST"])
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
