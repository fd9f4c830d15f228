"""An exception in `raises=` that is never sent to a client."""

from daebus import Blueprint, Daebus, DaebusHttp
from daebus.errors import NotFound

users = Blueprint("users")


# wrong
# ! start-up wrong-option: route GET && raises= has KeyError, which is never sent to a client: the response would be a 500; list classes of daebus.errors, your own subclasses of them, or HTTPExceptions of Litestar
@users.route("/users/<user_id>", raises=[KeyError])
# right
@users.route("/users/<user_id>", raises=[NotFound])
# both
async def find(user_id: str) -> str:
    raise NotFound(user_id)


app = Daebus("users")
app.attach(DaebusHttp(port=0))
app.register_blueprint(users)
