"""A unit test that calls a handler with arguments of other types."""

from accounts import Container, Database, GetUser, User, UserRepo
from daebus import Blueprint

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


async def test_get_user() -> None:
    # wrong
    # ! mypy arg-type: Argument "repo" to "__call__" of "_Decorated" has incompatible type "Database"; expected "UserRepo"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Database" cannot be assigned to parameter "repo" of type "UserRepo" in function "__call__"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    user = await get_user(GetUser("u1"), repo=Database())
    # right
    user = await get_user(GetUser("u1"), repo=UserRepo(Database()))
    # both
    assert user.id == "u1"
