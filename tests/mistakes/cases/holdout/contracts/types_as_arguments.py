"""The types of an action as arguments, instead of in brackets."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Action, Blueprint, Daebus

# wrong
# ! mypy arg-type: Argument 2 to "Action" has incompatible type "type[GetUser]"; expected "str | None"
# ! mypy call-arg: Too many arguments for "Action"
# ! mypy call-arg: Too many positional arguments for "Action"
# ! mypy var-annotated: Need type annotation for "FIND"
# ! pyrefly bad-argument-count
# ! pyright reportCallIssue: Expected 1 positional argument
# ! pyright reportUnknownVariableType: Type of "FIND" is partially unknown
# ! registration TypeError: Action.__init__() takes 2 positional arguments but 4 were given
# ! ty too-many-positional-arguments
# ! zuban call-arg
# ! zuban var-annotated
FIND = Action("find", GetUser, User)
# right
FIND = Action[GetUser, User]("find")
# both

users = Blueprint("users", services=Container)


# ! pyright strict reportUnknownArgumentType: Argument type is partially unknown
@users.action(FIND)
async def find(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
