"""A field that the payload does not have."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    # wrong
    # ! mypy attr-defined: "GetUser" has no attribute "user_id"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "user_id" for class "GetUser"
    # ! pyright reportUnknownArgumentType: Argument type is unknown
    # ! pyright reportUnknownMemberType: Type of "user_id" is unknown
    # ! ty missing-attribute
    # ! zuban attr-defined
    return User(query.user_id)
    # right
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
