"""A handler with one reply for an action that streams."""

from collections.abc import AsyncIterator

from accounts import LIST_USERS, GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser) -> CoroutineType[Any, Any, list[User]]" cannot be assigned to parameter "handler" of type "ContextPayloadHandler[GetUser, AsyncIterator[User], P@__call__, Rest@__call__]" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action(LIST_USERS)
# ! mypy daebus-signature: list_users: its contract is a StreamAction, but this is not an async generator -> write `async def`, and yield each item
# ! registration not-a-stream: list_users: an action must be an async generator; write `async def` and yield each item
async def list_users(query: GetUser) -> list[User]:
    return [User(query.id)]


# right
@users.action(LIST_USERS)
async def list_users(query: GetUser) -> AsyncIterator[User]:
    yield User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
