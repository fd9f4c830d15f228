"""An HTTP method that does not exist."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy list-item: List item 0 has incompatible type "Literal['PSOT']"; expected "Literal['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "list[str]" cannot be assigned to parameter "methods" of type "Sequence[Method]" in function "route"
# ! registration wrong-method: route PSOT && 'PSOT' is not an HTTP method that can be routed; did you mean 'POST'?
# ! ty invalid-argument-type
# ! zuban list-item
@users.route("/users", methods=["PSOT"])
# right
@users.route("/users", methods=["POST"])
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
