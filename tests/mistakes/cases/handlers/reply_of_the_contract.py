"""A handler whose reply is not that of its contract."""

from accounts import GET_USER, GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser) -> CoroutineType[Any, Any, str]" cannot be assigned to parameter "handler" of type "ContextPayloadHandler[GetUser, User, P@__call__, Rest@__call__]" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action(GET_USER)
# ! mypy daebus-signature: get_user: it returns str, but its contract says User -> return User, or change the contract
# ! registration wrong-reply: get_user: it returns str, but its contract says User; return User, or change the contract
async def get_user(query: GetUser) -> str:
    return query.id


# right
@users.action(GET_USER)
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
