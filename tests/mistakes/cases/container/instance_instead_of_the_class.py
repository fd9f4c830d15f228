"""An instance of the container, where a blueprint names its class."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus

# wrong
# ! mypy arg-type: Argument "services" to "Blueprint" has incompatible type "Container"; expected "type[ServiceContainer] | None"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Container" cannot be assigned to parameter "services" of type "type[S_contra@Blueprint] | None" in function "__init__"
# ! ty invalid-argument-type
# ! zuban arg-type
users = Blueprint("users", services=Container())
# right
users = Blueprint("users", services=Container)
# both


@users.action("limit")
# ! mypy daebus-wiring: limit(repo: UserRepo): ServiceContainer has no provider "repo"; it has blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger, redis, redis_cluster, rooms, threads -> name your container: Blueprint(..., services=Container)
async def limit(*, repo: UserRepo) -> int:
    return repo.limit


app = Daebus("users", container=Container())
# ! registration wrong-container: register_blueprint('users'): services= must be a container class, but this is an object; name the class: Blueprint('users', services=Container), without parentheses
app.register_blueprint(users)
