"""An option of a route that does not exist."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy call-arg: Unexpected keyword argument "summry" for "route" of "Recorder"; did you mean "summary"?
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "summry"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! start-up unknown-option: route GET && a route has no option 'summry'; did you mean 'summary'?
# ! zuban call-arg
@users.route("/users/<user_id>", summry="One user")
# right
@users.route("/users/<user_id>", summary="One user")
# both
async def get_user(user_id: str) -> User:
    return User(user_id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
