"""A background task that takes a payload, which nobody would send."""

from accounts import Container, GetUser, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.background("cleanup", 60)
# ! mypy daebus-signature: cleanup(query: GetUser): a background task gets nothing of this kind from the message -> put a bare * before "query" if it is a service
# ! registration unexpected-payload: cleanup(query: GetUser): a background task gets no message, so there is nothing to fill it with; put a bare * before 'query' if it is a service, or remove it
async def cleanup(query: GetUser, *, repo: UserRepo) -> None:
    await repo.find(query.id)


# right
@users.background("cleanup", 60)
async def cleanup(*, repo: UserRepo) -> None:
    await repo.find("u1")


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
