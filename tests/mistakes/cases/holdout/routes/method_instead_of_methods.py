"""`method=` with a string, instead of `methods=` with a list."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users", services=Container)


# wrong
# ! mypy call-arg: Unexpected keyword argument "method" for "route" of "Recorder"; did you mean "methods"?
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "method"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! start-up unknown-option: route GET && a route has no option 'method'; did you mean 'methods'?
# ! zuban call-arg
@users.route("/users/<user_id>", method="DELETE")
# right
@users.route("/users/<user_id>", methods=["DELETE"])
# both
async def delete_user(user_id: str, *, repo: UserRepo) -> None:
    await repo.find(user_id)


app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.register_blueprint(users)
