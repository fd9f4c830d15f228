"""A body under a status that has none."""

from daebus import Blueprint, Daebus, DaebusHttp
from shop import GetUser, User

users = Blueprint("users")


# wrong
# ! start-up refused-by-litestar: route POST && Litestar refuses it: A status code 204, 304 or in the range below 200 does not support a response body. If && .add_user should return a value, change the route handler status code to an appropriate value.; correct the handler's signature, or the options of its route
@users.route("/users", methods=["POST"], status_code=204)
# right
@users.route("/users", methods=["POST"], status_code=201)
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
