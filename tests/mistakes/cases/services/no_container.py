"""A blueprint without `services=`, so its container is not known."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

# wrong
users = Blueprint("users")
# right
users = Blueprint("users", services=Container)
# both


@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: UserRepo): ServiceContainer has no provider "repo"; it has blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger, redis, redis_cluster, rooms, threads -> name your container: Blueprint(..., services=Container)
# ! registration unknown-service: get_user(repo: UserRepo): ServiceContainer has no provider 'repo'; give the app a container that has it: Daebus(..., container=Container()), with `repo = ...` in it
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# wrong
app = Daebus("users")
# right
app = Daebus("users", container=Container())
# both
app.register_blueprint(users)
