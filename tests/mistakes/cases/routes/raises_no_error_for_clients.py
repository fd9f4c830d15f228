"""An exception in `raises=` that no client ever gets."""

from daebus import Blueprint, Daebus, DaebusHttp
from daebus.errors import NotFound

users = Blueprint("users")


# wrong
# ! start-up wrong-option: route GET && raises= names KeyError, which a client never gets: it would be answered with 500; name classes of daebus.errors, your own subclasses of them, or HTTPExceptions of Litestar
@users.route("/users/<user_id>", raises=[KeyError])
# right
@users.route("/users/<user_id>", raises=[NotFound])
# both
async def find(user_id: str) -> str:
    raise NotFound(user_id)


app = Daebus("users")
app.attach(DaebusHttp(port=0))
app.register_blueprint(users)
