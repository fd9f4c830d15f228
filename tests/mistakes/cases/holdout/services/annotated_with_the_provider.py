"""A service that is annotated with its provider, instead of with what that gives."""

from accounts import Container, Database, GetUser, User, UserRepo
from daebus import Blueprint, Daebus
from dependency_injector import providers

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: Singleton[UserRepo]): the provider "repo" of Container gives UserRepo, not Singleton[UserRepo] -> annotate it as UserRepo, or change the provider
# ! registration wrong-type: get_user(repo: Singleton): the provider 'repo' of Container gives UserRepo; annotate it as UserRepo, or change the provider
async def get_user(query: GetUser, *, repo: providers.Singleton[UserRepo], db: Database) -> User:
    return await repo().find(query.id + db.url)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo, db: Database) -> User:
    return await repo.find(query.id + db.url)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
