"""A service that is named after its class, instead of after its provider."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(user_repo: UserRepo): Container has no provider "user_repo"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> did you mean "repo"?
# ! registration unknown-service: get_user(user_repo: UserRepo): Container has no provider 'user_repo'; did you mean 'repo'?
async def get_user(query: GetUser, *, user_repo: UserRepo) -> User:
    return await user_repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
