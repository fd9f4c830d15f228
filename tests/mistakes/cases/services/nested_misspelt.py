"""A service of a nested container, whose name is misspelt."""

from dependency_injector import providers

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, ServiceContainer, use


class Outer(ServiceContainer):
    inner = providers.Container(Container)


users = Blueprint("users", services=Outer)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: Container.rebo: Container has no provider "rebo"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, bus, clients, logger, redis and 2 more -> did you mean "repo"?
# ! registration AttributeError: 'DynamicContainer' object has no attribute 'rebo'
async def get_user(query: GetUser, *, repo: UserRepo = use(Outer.inner.rebo)) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo = use(Outer.inner.repo)) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Outer())
app.register_blueprint(users)
