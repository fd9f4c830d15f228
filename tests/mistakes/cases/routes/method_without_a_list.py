"""`methods=` as a string instead of a list."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument "methods" to "route" of "Recorder" has incompatible type "str"; expected "Sequence[Literal['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['POST']" cannot be assigned to parameter "methods" of type "Sequence[Method]" in function "route"
# ! registration wrong-method: @route(' && methods='POST' is not a list of names; write methods=['POST']
# ! ty invalid-argument-type
# ! zuban arg-type
@users.route("/users", methods="POST")
# right
@users.route("/users", methods=["POST"])
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
