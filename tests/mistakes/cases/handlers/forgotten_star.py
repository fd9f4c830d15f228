"""A forgotten `*` between the payload and the services."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-signature: get_user(repo: UserRepo): an action takes one payload, and "query" is already the payload -> put a bare * before "repo"
# ! registration forgotten-star: get_user(repo: UserRepo): it is left of the *, where parameters come from the message, but it is a service; put a bare * before it: get_user(query: GetUser, *, repo: UserRepo)
async def get_user(query: GetUser, repo: UserRepo) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
