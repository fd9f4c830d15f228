"""A blueprint whose services the app's container does not have."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus, ServiceContainer


class Small(ServiceContainer):
    pass


users = Blueprint("users", services=Container)


@users.action("limit")
async def limit(*, repo: UserRepo) -> int:
    return repo.limit


# wrong
app = Daebus("users", container=Small())
# right
app = Daebus("users", container=Container())
# both
# ! mypy arg-type: Argument 1 to "register_blueprint" of "Daebus" has incompatible type "Blueprint[Container]"; expected "Blueprint[Small]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Blueprint[Container]" cannot be assigned to parameter "blueprint" of type "Blueprint[Small]" in function "register_blueprint"
# ! registration wrong-container: register_blueprint('users'): its handlers need Container, and the app's container is Small; pass container=Container() to Daebus, or a subclass of it
# ! ty invalid-argument-type
# ! zuban arg-type
app.register_blueprint(users)
