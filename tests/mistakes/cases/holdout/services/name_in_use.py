"""`use(...)` of the name of a provider as a text."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy arg-type: Argument 1 to "use" has incompatible type "str"; expected "Provider[Never]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['repo']" cannot be assigned to parameter "provider" of type "Provider[T@use]" in function "use"
# ! registration not-a-provider: get_user(repo: UserRepo): use(...) names 'repo', which is not a provider; name one of the container's providers: use(Container.name)
# ! ty invalid-argument-type
# ! zuban arg-type
async def get_user(query: GetUser, *, repo: UserRepo = use("repo")) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo = use(Container.repo)) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
