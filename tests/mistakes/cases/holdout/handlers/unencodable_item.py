"""A reply of a list whose items cannot be encoded as JSON."""

from accounts import Container, Database, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(*, repo: UserRepo) -> CoroutineType[Any, Any, list[Database]]" cannot be assigned to parameter "handler" of type "(**P@__call__) -> Reply@__call__" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban arg-type
@users.action("list_users")
# wrong
# ! mypy daebus-signature: list_users: a Database cannot be encoded as JSON -> return a msgspec.Struct, a dataclass, or what msgspec supports
# ! registration unencodable: list_users: what it returns cannot be encoded as JSON: Database has no JSON form; return a msgspec.Struct, a dataclass, or what msgspec supports
async def list_users(*, repo: UserRepo) -> list[Database]:
    return [repo.db]


# right
async def list_users(*, repo: UserRepo) -> list[User]:
    return [await repo.find("1")]


# both


app = Daebus("users", container=Container())
app.register_blueprint(users)
