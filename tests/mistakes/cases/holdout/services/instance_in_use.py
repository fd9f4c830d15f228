"""`use(...)` of a provider of an instance of the container."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)
container = Container()


@users.action("get_user")
# wrong
# ! mypy attr-defined: "Container" has no attribute "rebo"
# ! pyrefly missing-attribute
# ! pyright reportAttributeAccessIssue: Cannot access attribute "rebo" for class "Container"
# ! pyright reportUnknownArgumentType: Argument type is unknown
# ! pyright reportUnknownMemberType: Type of "rebo" is unknown
# ! registration AttributeError: 'DynamicContainer' object has no attribute 'rebo'
# ! ty missing-attribute
# ! zuban attr-defined
async def get_user(query: GetUser, *, store: UserRepo = use(container.rebo)) -> User:
    return await store.find(query.id)


# right
async def get_user(query: GetUser, *, store: UserRepo = use(Container.repo)) -> User:
    return await store.find(query.id)


# both


app = Daebus("users", container=container)
app.register_blueprint(users)
