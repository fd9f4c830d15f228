"""A method that the service does not have."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    # wrong
    # ! mypy attr-defined: "UserRepo" has no attribute "get"
    # ! mypy no-any-return: Returning Any from function declared to return "User"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "get" for class "UserRepo"
    # ! pyright reportUnknownMemberType: Type of "get" is unknown
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty missing-attribute
    # ! ty unsound-return
    # ! zuban attr-defined
    # ! zuban no-any-return
    return await repo.get(query.id)
    # right
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
