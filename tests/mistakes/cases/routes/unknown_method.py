"""A method that HTTP does not have."""

from daebus import Blueprint, Daebus, DaebusHttp
from shop import GetUser, User

users = Blueprint("users")


# wrong
# ! mypy daebus-path: add_user: "PSOT" is no HTTP method that can be routed -> did you mean "POST"?
# ! registration wrong-method: route PSOT && 'PSOT' is no HTTP method that can be routed; did you mean 'POST'?
@users.route("/users", methods=["PSOT"])
# right
@users.route("/users", methods=["POST"])
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
