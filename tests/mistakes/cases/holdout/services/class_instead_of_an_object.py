"""A service that is taken as a class, in order to make objects of it in the handler."""

from accounts import Container, Database, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: type[UserRepo]): the provider "repo" of Container gives UserRepo, not type[UserRepo] -> annotate it as UserRepo, or change the provider
# ! registration wrong-type: get_user(repo: type[UserRepo]): the provider 'repo' of Container gives UserRepo; annotate it as UserRepo, or change the provider
async def get_user(query: GetUser, *, repo: type[UserRepo], db: Database) -> User:
    return await repo(db).find(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo, db: Database) -> User:
    return await repo.find(query.id + db.url)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
