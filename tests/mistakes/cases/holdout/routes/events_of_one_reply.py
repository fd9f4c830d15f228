"""Server-sent events of an action that has one reply."""

from accounts import GET_USER, GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-signature: get_user: the action has a single reply, so it has no door sse= -> write http="GET
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Action[GetUser, User]" cannot be assigned to parameter "name" of type "StreamAction[In@action, Out@action]" in function "action"
# ! pyright reportCallIssue: No overloads for "action" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration not-a-stream: route GET && server-sent events are for actions that stream their replies, and this one has a single reply; open it as a route: http="GET
# ! zuban call-overload
# ! zuban untyped-decorator
@users.action(GET_USER, sse="GET /users/<id>")
# right
@users.action(GET_USER, http="GET /users/<id>")
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
