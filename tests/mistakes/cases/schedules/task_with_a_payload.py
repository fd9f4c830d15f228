"""A background task with a payload, although tasks receive no message."""

from accounts import Container, GetUser, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.background("cleanup", 60)
# ! mypy daebus-signature: cleanup(query: GetUser): a background task gets no such value from the message -> put a bare * before "query" if it is a service
# ! registration unexpected-payload: cleanup(query: GetUser): a background task gets no such value from the message; put a bare * before 'query' if it is a service, or annotate it as Run, or remove it
async def cleanup(query: GetUser, *, repo: UserRepo) -> None:
    await repo.find(query.id)


# right
@users.background("cleanup", 60)
async def cleanup(*, repo: UserRepo) -> None:
    await repo.find("u1")


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
