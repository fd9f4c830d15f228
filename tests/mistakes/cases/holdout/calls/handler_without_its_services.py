"""A handler that is called by another one, without its services."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


@users.action("get_name")
async def get_name(query: GetUser, *, repo: UserRepo) -> str:
    # wrong
    # ! mypy call-arg: Missing named argument "repo" for "__call__" of "_Decorated"
    # ! pyrefly missing-argument
    # ! pyright reportCallIssue: Argument missing for parameter "repo"
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty missing-argument
    # ! zuban call-arg
    user = await get_user(query)
    # right
    user = await get_user(query, repo=repo)
    # both
    # ! pyright strict reportUnknownMemberType: Type of "name" is unknown
    # ! pyright strict reportUnknownVariableType: Return type is unknown
    return user.name


app = Daebus("users", container=Container())
app.register_blueprint(users)
