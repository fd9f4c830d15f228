"""A route that returns its answer with a status, as in Flask."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint

users = Blueprint("users", services=Container)


@users.route("/users", methods=["POST"], status_code=201)
async def add_user(data: GetUser, *, repo: UserRepo) -> User:
    user = await repo.find(data.id)
    # wrong
    # ! mypy return-value: Incompatible return value type (got "tuple[User, int]", expected "User")
    # ! pyrefly bad-return
    # ! pyright reportReturnType: Type "tuple[User, Literal[201]]" is not assignable to return type "User"
    # ! ty invalid-explicit-return
    # ! zuban return-value
    return user, 201
    # right
    return user
