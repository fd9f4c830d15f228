"""A payload right of the `*`, among the services."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(query: GetUser): Container has no provider "query"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> if it comes from the message, move it left of the *
# ! registration misplaced-payload: get_user(query: GetUser): it is right of the *, but Container has no provider 'query'; move it left of the *: get_user(query: GetUser, *, repo: UserRepo)
async def get_user(*, query: GetUser, repo: UserRepo) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
