"""A timeout of a handler as a `timedelta`."""

from datetime import timedelta

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")
SHORT = timedelta(seconds=3)


# wrong
# ! mypy arg-type: Argument "timeout" to "action" of "Recorder" has incompatible type "timedelta"; expected "float"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "timedelta" cannot be assigned to parameter "timeout" of type "float" in function "action"
# ! pyright reportCallIssue: No overloads for "action" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-option: @action('get_user'): timeout=datetime.timedelta(seconds=3), which must be a number of seconds above 0; correct it, or leave it out for the default
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.action("get_user", timeout=SHORT)
# right
@users.action("get_user", timeout=SHORT.total_seconds())
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
