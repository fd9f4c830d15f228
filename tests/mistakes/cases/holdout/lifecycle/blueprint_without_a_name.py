"""A blueprint without a name."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

# wrong
# ! mypy call-arg: Missing positional argument "name" in call to "Blueprint"
# ! pyrefly missing-argument
# ! pyright reportCallIssue: Argument missing for parameter "name"
# ! registration TypeError: Blueprint.__init__() missing 1 required positional argument: 'name'
# ! ty missing-argument
# ! zuban call-arg
users = Blueprint(services=Container)
# right
users = Blueprint("users", services=Container)
# both


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
