"""A status that is no number."""

from daebus import Blueprint, Daebus, DaebusHttp
from shop import GetUser, User

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument "status_code" to "route" of "Recorder" has incompatible type "str"; expected "int | None"
# ! pyright reportArgumentType: Argument of type "Literal['201']" cannot be assigned to parameter "status_code" of type "int | None" in function "route"
# ! start-up refused-by-litestar: route POST && Litestar refuses it: '<' not supported between instances of 'str' and 'int'; correct the handler's signature, or the options of its route
@users.route("/users", methods=["POST"], status_code="201")
# right
@users.route("/users", methods=["POST"], status_code=201)
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
