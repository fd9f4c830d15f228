"""A response of Litestar as the reply of an action."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus
from litestar import Response

users = Blueprint("users", services=Container)


# wrong
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(query: GetUser, *, repo: UserRepo) -> CoroutineType[Any, Any, Response[User]]" cannot be assigned to parameter "handler" of type "(**P@__call__) -> Reply@__call__" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban arg-type
@users.action("get_user")
# ! mypy daebus-signature: get_user: a Response[User] cannot be encoded as JSON -> return a msgspec.Struct, a dataclass, or what msgspec supports
# ! registration unencodable: get_user: what it returns cannot be encoded as JSON: Response has no JSON form; return a msgspec.Struct, a dataclass, or what msgspec supports
async def get_user(query: GetUser, *, repo: UserRepo) -> Response[User]:
    return Response(await repo.find(query.id), status_code=201)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
