"""The reply of a contract as a list literal, `[User]`, instead of `list[User]`."""

from accounts import GetUser, User
from daebus import Action, Blueprint, Daebus

# wrong
# ! mypy valid-type: Bracketed expression "[...]" is not valid as a type
# ! pyrefly invalid-param-spec
# ! pyright reportInvalidTypeForm: List expression not allowed for this type argument
# ! pyright reportUnknownVariableType: Type of "SEARCH" is partially unknown
# ! registration TypeError: unhashable type: 'list'
# ! ty invalid-type-form
# ! zuban valid-type
SEARCH = Action[GetUser, [User]]("search")
# right
SEARCH = Action[GetUser, list[User]]("search")
# both

users = Blueprint("users")


# ! pyright strict reportUnknownArgumentType: Argument type is partially unknown
@users.action(SEARCH)
async def search(query: GetUser) -> list[User]:
    return [User(query.id)]


app = Daebus("users")
app.register_blueprint(users)
