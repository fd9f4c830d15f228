"""A provider as the default of a parameter, without `use(...)`."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("limit")
# ! mypy assignment: Incompatible default for parameter "repo" (default has type "Singleton[UserRepo]", parameter has type "UserRepo")
# ! pyrefly bad-function-definition
# ! pyright reportArgumentType: Expression of type "Singleton[UserRepo]" cannot be assigned to parameter of type "UserRepo"
# ! registration unused-default: limit(repo: UserRepo): its default would never be used: a provider is named by use(...); write repo: UserRepo = use(Container.repo), or leave the default out: 'repo' is its name
# ! ty invalid-parameter-default
# ! zuban assignment
async def limit(*, repo: UserRepo = Container.repo) -> int:
    return repo.limit


# right
@users.action("limit")
async def limit(*, repo: UserRepo = use(Container.repo)) -> int:
    return repo.limit


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
