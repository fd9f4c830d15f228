"""A `def` generator, which would never be iterated over."""

from collections.abc import AsyncIterator, Iterator

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser) -> Iterator[User]" cannot be assigned to parameter "handler" of type "(**P@__call__) -> Reply@__call__" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action("list_users")
# ! mypy daebus-signature: list_users: an action cannot be a `def` generator -> write `async def`, and yield each item
# ! registration plain-generator: list_users: it is a generator, written as `def` with `yield`, and would never be iterated over; write `async def`, to stream what it yields
def list_users(query: GetUser) -> Iterator[User]:
    yield User(query.id)


# right
@users.action("list_users")
async def list_users(query: GetUser) -> AsyncIterator[User]:
    yield User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
