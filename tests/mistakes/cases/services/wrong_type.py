"""A service of another type than its provider gives."""

from accounts import Container, Database, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("url")
# ! mypy daebus-wiring: url(repo: Database): the provider "repo" of Container gives UserRepo, not Database -> annotate it as UserRepo, or rename it to "db", which gives Database
# ! registration wrong-type: url(repo: Database): the provider 'repo' of Container gives UserRepo; annotate it as UserRepo, or name it 'db', which gives Database
async def url(*, repo: Database) -> str:
    return repo.url


# right
@users.action("url")
async def url(*, repo: UserRepo) -> str:
    return repo.db.url


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
