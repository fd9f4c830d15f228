"""A forgotten `await`, so that the reply would be a coroutine."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    # wrong
    # ! mypy return-value: Incompatible return value type (got "Coroutine[Any, Any, User]", expected "User")
    # ! pyrefly bad-return
    # ! pyright reportReturnType: Type "CoroutineType[Any, Any, User]" is not assignable to return type "User"
    # ! ty invalid-explicit-return
    # ! zuban return-value
    return repo.find(query.id)
    # right
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
