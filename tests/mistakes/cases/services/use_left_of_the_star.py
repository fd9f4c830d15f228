"""`use(...)` left of the `*`."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-signature: get_user(repo: UserRepo): use(...) is left of the *, where parameters come from the message -> put a bare * before "repo"
# ! registration forgotten-star: get_user(repo: UserRepo): use(...) is left of the *, where parameters come from the message; put a bare * before 'repo'
async def get_user(query: GetUser, repo: UserRepo = use(Container.repo)) -> User:
    return await repo.find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo = use(Container.repo)) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
