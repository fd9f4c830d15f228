"""A service of a nested container, whose name is misspelt."""

from dependency_injector import providers

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, ServiceContainer, use


class Outer(ServiceContainer):
    inner = providers.Container(Container)


users = Blueprint("users", services=Outer)


# wrong
@users.action("get_user")
# ! mypy attr-defined: "Container" has no attribute "rebo"
# ! pyrefly missing-attribute
# ! pyright reportAttributeAccessIssue: Cannot access attribute "rebo" for class "Container"
# ! pyright reportUnknownArgumentType: Argument type is unknown
# ! pyright reportUnknownMemberType: Type of "rebo" is unknown
# ! registration AttributeError: 'DynamicContainer' object has no attribute 'rebo'
# ! ty missing-attribute
# ! zuban attr-defined
async def get_user(query: GetUser, *, repo: UserRepo = use(Outer.inner.rebo)) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo = use(Outer.inner.repo)) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Outer())
app.register_blueprint(users)
