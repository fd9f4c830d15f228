"""A service of a nested container, requested by its bare name."""

from dependency_injector import providers

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, ServiceContainer, use


class Outer(ServiceContainer):
    inner = providers.Container(Container)


users = Blueprint("users", services=Outer)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: UserRepo): Outer has no provider "repo"; it has inner, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger, redis, redis_cluster, rooms, threads -> write repo: UserRepo = use(Outer.inner.repo)
# ! registration unknown-service: get_user(repo: UserRepo): Outer has no provider 'repo'; write repo: UserRepo = use(Outer.inner.repo)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo = use(Container.repo)) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Outer())
app.register_blueprint(users)
