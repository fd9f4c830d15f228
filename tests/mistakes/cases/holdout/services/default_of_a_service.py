"""None as the default of a service that the container does not have, to make it optional."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus


class Cache:
    def find(self, id: str) -> User | None:
        return None


users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(cache: Cache | None): Container has no provider "cache"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> add `cache = providers.Singleton(Cache | None)` to Container
# ! registration unknown-service: get_user(cache: Cache | None): Container has no provider 'cache'; add `cache = providers.Singleton(...)` to Container
async def get_user(query: GetUser, *, repo: UserRepo, cache: Cache | None = None) -> User:
    # ! ty invalid-explicit-return
    return (cache and cache.find(query.id)) or await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
