"""A contract without a name."""

from accounts import GetUser, User
from daebus import Action, Blueprint, Daebus

# wrong
# ! mypy call-arg: Missing positional argument "name" in call to "Action"
# ! pyrefly missing-argument
# ! pyright reportCallIssue: Argument missing for parameter "name"
# ! registration TypeError: Action.__init__() missing 1 required positional argument: 'name'
# ! ty missing-argument
# ! zuban call-arg
RENAME = Action[GetUser, User]()
# right
RENAME = Action[GetUser, User]("rename")
# both

users = Blueprint("users")


@users.action(RENAME)
async def rename(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
