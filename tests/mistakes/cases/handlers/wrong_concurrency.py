"""A value of `concurrency=` that is not a number."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument "concurrency" to "action" of "Recorder" has incompatible type "str"; expected "int | None"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Literal['many']" cannot be assigned to parameter "concurrency" of type "int | None" in function "action"
# ! pyright reportCallIssue: No overloads for "action" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-option: @action('get_user'): concurrency='many', which must be a whole number of at least 1; correct it, or leave it out for the default
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.action("get_user", concurrency="many")
# right
@users.action("get_user", concurrency=8)
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
