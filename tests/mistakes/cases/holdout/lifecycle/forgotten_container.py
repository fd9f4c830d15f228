"""An app without the container that its blueprint needs."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# wrong
app = Daebus("users")
# right
app = Daebus("users", container=Container())
# both
# ! mypy arg-type: Argument 1 to "register_blueprint" of "Daebus" has incompatible type "Blueprint[Container]"; expected "Blueprint[ServiceContainer]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Blueprint[Container]" cannot be assigned to parameter "blueprint" of type "Blueprint[ServiceContainer]" in function "register_blueprint"
# ! registration wrong-container: register_blueprint('users'): its handlers need Container, and the app's container is ServiceContainer; pass container=Container() to Daebus, or a subclass of it
# ! ty invalid-argument-type
# ! zuban arg-type
app.register_blueprint(users)
