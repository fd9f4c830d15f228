"""A provider whose name is misspelt in `use(...)`."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy attr-defined: "type[Container]" has no attribute "rebo"
# ! pyrefly missing-attribute
# ! pyright reportAttributeAccessIssue: Cannot access attribute "rebo" for class "type[Container]"
# ! pyright reportUnknownArgumentType: Argument type is unknown
# ! pyright reportUnknownMemberType: Type of "rebo" is unknown
# ! registration AttributeError: type object 'Container' has no attribute 'rebo'
# ! ty missing-attribute
# ! zuban attr-defined
async def get_user(query: GetUser, *, repo: UserRepo = use(Container.rebo)) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo = use(Container.repo)) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
