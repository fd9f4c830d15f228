"""The user of a message, in an app whose container has no provider of it."""

from accounts import Container, GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("get_name")
# wrong
# ! mypy daebus-wiring: get_name(user: User): Container has no provider "user"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> if it comes from the message, move it left of the *
# ! registration unknown-service: get_name(user: User): Container has no provider 'user'; add `user = providers.Singleton(User)` to Container, or move it left of the * if it comes from the message
async def get_name(query: GetUser, *, user: User) -> str:
    return f"{query.id}{user.name}"


# right
async def get_name(query: GetUser, *, limit: int) -> str:
    return f"{query.id}{limit}"


# both


app = Daebus("users", container=Container())
app.register_blueprint(users)
