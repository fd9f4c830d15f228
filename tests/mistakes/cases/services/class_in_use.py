"""`use(...)` of a class, instead of a provider."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("limit")
# ! mypy arg-type: Argument 1 to "use" has incompatible type "type[UserRepo]"; expected "Provider[Never]"
# ! mypy daebus-wiring: limit(repo: UserRepo): use(...) names a provider of UserRepo, and the container is Container -> use a provider of Container, of its bases, or of a container nested in it
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "type[UserRepo]" cannot be assigned to parameter "provider" of type "Provider[T@use]" in function "use"
# ! registration not-a-provider: limit(repo: UserRepo): use(...) names <class 'accounts.UserRepo'>, which is not a provider; name one of the container's providers: use(Container.name)
# ! ty invalid-argument-type
# ! zuban arg-type
async def limit(*, repo: UserRepo = use(UserRepo)) -> int:
    return repo.limit


# right
@users.action("limit")
async def limit(*, repo: UserRepo = use(Container.repo)) -> int:
    return repo.limit


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
