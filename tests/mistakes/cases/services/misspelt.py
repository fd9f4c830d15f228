"""A service whose name is misspelt."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(rebo: UserRepo): Container has no provider "rebo"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> did you mean "repo"?
# ! registration unknown-service: get_user(rebo: UserRepo): Container has no provider 'rebo'; did you mean 'repo'?
async def get_user(query: GetUser, *, rebo: UserRepo) -> User:
    return await rebo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
