"""The annotation of an `async def` says that it returns a coroutine."""

from collections.abc import Awaitable

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! mypy arg-type: Argument 1 to "__call__" of "NamedDecorator" has incompatible type "def get_user(query: GetUser, *, repo: UserRepo) -> Coroutine[Any, Any, Awaitable[User]]"; expected "ContextPayloadHandler[Never, AsyncIterator[Never], Never, Never]"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser, *, repo: UserRepo) -> CoroutineType[Any, Any, Awaitable[User]]" cannot be assigned to parameter "handler" of type "(**P@__call__) -> Reply@__call__" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban arg-type
@users.action("get_user")
# ! registration unencodable: get_user: what it returns cannot be encoded as JSON: Awaitable has no JSON form; return a msgspec.Struct, a dataclass, or what msgspec supports
async def get_user(query: GetUser, *, repo: UserRepo) -> Awaitable[User]:
    return repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
