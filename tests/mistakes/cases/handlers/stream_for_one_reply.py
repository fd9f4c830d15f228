"""An async generator for an action that has one reply."""

from collections.abc import AsyncIterator

from accounts import GET_USER, LIST_USERS, GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser) -> AsyncIterator[User]" cannot be assigned to parameter "handler" of type "ContextPayloadHandler[GetUser, User, P@__call__, Rest@__call__]" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action(GET_USER)
# right
@users.action(LIST_USERS)
# both
# ! mypy daebus-signature: list_users: its contract is an Action, which has one reply, but this is an async generator -> return one value, or make the contract a StreamAction
# ! registration unexpected-stream: list_users: an action cannot be an async generator; return one value, or make it a StreamAction
async def list_users(query: GetUser) -> AsyncIterator[User]:
    yield User(query.id)


app = Daebus("users")
app.register_blueprint(users)
