"""A handler of a stream that returns an async iterator, instead of yielding."""

from collections.abc import AsyncIterator

from accounts import LIST_USERS, Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus


async def all_users(repo: UserRepo, id: str) -> AsyncIterator[User]:
    yield await repo.find(id)


users = Blueprint("users", services=Container)


# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser, *, repo: UserRepo) -> CoroutineType[Any, Any, AsyncIterator[User]]" cannot be assigned to parameter "handler" of type "ContextPayloadHandler[GetUser, AsyncIterator[User], P@__call__, Rest@__call__]" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban call-overload
@users.action(LIST_USERS)
# ! mypy daebus-signature: list_users: its contract is a StreamAction, but this is not an async generator -> write `async def`, and yield each item
# ! registration not-a-stream: list_users: an action must be an async generator; write `async def` and yield each item
async def list_users(query: GetUser, *, repo: UserRepo) -> AsyncIterator[User]:
    # wrong
    return all_users(repo, query.id)
    # right
    yield await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
