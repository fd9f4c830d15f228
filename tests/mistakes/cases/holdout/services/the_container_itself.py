"""The container as a service, as in a service locator."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(container: Container): Container has no provider "container"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> add `container = providers.Singleton(Container)` to Container
# ! registration unknown-service: get_user(container: Container): Container has no provider 'container'; add `container = providers.Singleton(Container)` to Container
async def get_user(query: GetUser, *, container: Container) -> User:
    return await container.repo().find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
