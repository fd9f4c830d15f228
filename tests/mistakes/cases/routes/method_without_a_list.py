"""One method without the list around it: each of its letters is taken for a method."""

from daebus import Blueprint, Daebus, DaebusHttp
from shop import GetUser, User

users = Blueprint("users")


# wrong
# ! registration wrong-method: @route(' && methods='POST' is no list of names; write methods=['POST']
@users.route("/users", methods="POST")
# right
@users.route("/users", methods=["POST"])
# both
async def add_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
