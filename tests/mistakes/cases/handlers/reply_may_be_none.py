"""A handler that may reply None, where its contract promises a reply."""

from accounts import GET_USER, GetUser, User
from daebus import Blueprint, Daebus
from daebus.errors import NotFound

users = Blueprint("users")


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser) -> CoroutineType[Any, Any, User | None]" cannot be assigned to parameter "handler" of type "ContextPayloadHandler[GetUser, User, P@__call__, Rest@__call__]" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action(GET_USER)
# ! mypy daebus-signature: get_user: it returns User | None, but its contract says User -> return User, or change the contract
# ! registration wrong-reply: get_user: it returns User | None, but its contract says User; return User, or change the contract
async def get_user(query: GetUser) -> User | None:
    return User(query.id) if query.id else None


# right
@users.action(GET_USER)
async def get_user(query: GetUser) -> User:
    if not query.id:
        raise NotFound("There is no such user")
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
