"""A synchronous repository that is awaited."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    # wrong
    # ! mypy misc: Incompatible types in "await" (actual type "User", expected type "Awaitable[Any]")
    # ! mypy no-any-return: Returning Any from function declared to return "User"
    # ! pyrefly not-async
    # ! pyright reportGeneralTypeIssues: "User" is not awaitable
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty invalid-await
    # ! ty unsound-return
    # ! zuban misc
    # ! zuban no-any-return
    return await repo.read(query.id)
    # right
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
