"""The container as the second argument, without its name."""

from accounts import GET_USER, Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action(GET_USER)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# wrong
# ! mypy call-arg: Too many positional arguments for "Daebus"
# ! pyrefly bad-argument-count
# ! pyright reportCallIssue: Expected 1 positional argument
# ! registration TypeError: Daebus.__init__() takes 2 positional arguments but 3 were given
# ! ty too-many-positional-arguments
# ! zuban call-arg
app = Daebus("users", Container())
# right
app = Daebus("users", container=Container())
# both
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Blueprint[Container]" cannot be assigned to parameter "blueprint" of type "Blueprint[ServiceContainer]" in function "register_blueprint"
# ! ty invalid-argument-type
# ! zuban arg-type
app.register_blueprint(users)
