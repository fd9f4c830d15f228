"""A provider of the container in the body of a handler, in place of the service."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    # wrong
    # ! mypy attr-defined: "Singleton[UserRepo]" has no attribute "find"
    # ! mypy no-any-return: Returning Any from function declared to return "User"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "find" for class "Singleton[UserRepo]"
    # ! pyright reportUnknownMemberType: Type of "find" is unknown
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty missing-attribute
    # ! ty unsound-return
    # ! zuban attr-defined
    # ! zuban no-any-return
    return await Container.repo.find(query.id)
    # right
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
