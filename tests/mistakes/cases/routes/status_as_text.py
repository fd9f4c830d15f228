"""A status code that is not a number."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument "status_code" to "route" of "Recorder" has incompatible type "str"; expected "int | None"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['201']" cannot be assigned to parameter "status_code" of type "int | None" in function "route"
# ! registration wrong-status: route POST && status_code='201' is not the status of a complete response; give a number from 200 to 599, such as 201
# ! ty invalid-argument-type
# ! zuban arg-type
@users.route("/users", methods=["POST"], status_code="201")
# right
@users.route("/users", methods=["POST"], status_code=201)
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
