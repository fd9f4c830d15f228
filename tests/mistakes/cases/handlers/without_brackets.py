"""A decorator without parentheses."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "action" of "Recorder" matches argument type "Callable[[GetUser], Coroutine[Any, Any, User]]"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser) -> CoroutineType[Any, Any, User]" cannot be assigned to parameter "name" of type "StreamAction[In@action, Out@action]" in function "action"
# ! pyright reportCallIssue: No overloads for "action" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-name: @action: it is used without parentheses, and it takes a name or an Action or a StreamAction; write @action("the_name")
# ! ty no-matching-overload
# ! zuban call-overload
@users.action
# right
@users.action("get_user")
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
