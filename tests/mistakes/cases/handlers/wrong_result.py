"""A handler that returns another type than its annotation."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    # wrong
    # ! mypy return-value: Incompatible return value type (got "dict[str, str]", expected "User")
    # ! pyrefly bad-return
    # ! pyright reportReturnType: Type "dict[str, str]" is not assignable to return type "User"
    # ! ty invalid-explicit-return
    # ! zuban return-value
    return {"id": query.id}
    # right
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
