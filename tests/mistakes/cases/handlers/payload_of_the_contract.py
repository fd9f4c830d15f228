"""A handler whose payload is not that of its contract."""

from accounts import GET_USER, GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: User) -> CoroutineType[Any, Any, User]" cannot be assigned to parameter "handler" of type "ContextPayloadHandler[GetUser, User, P@__call__, Rest@__call__]" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action(GET_USER)
# ! mypy daebus-signature: get_user(query: User): the payload of the contract is GetUser, not User -> annotate it as GetUser, or change the contract
# ! registration wrong-payload: get_user(query: User): the payload of the contract is GetUser; annotate it as GetUser, or change the contract
async def get_user(query: User) -> User:
    return query


# right
@users.action(GET_USER)
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
