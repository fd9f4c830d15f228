"""A service that is annotated with a subclass of what its provider gives."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus


class CachedRepo(UserRepo):
    async def cached(self, id: str) -> User:
        return await self.find(id)


users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: CachedRepo): the provider "repo" of Container gives UserRepo, not CachedRepo -> annotate it as UserRepo, or change the provider
# ! registration wrong-type: get_user(repo: CachedRepo): the provider 'repo' of Container gives UserRepo; annotate it as UserRepo, or change the provider
async def get_user(query: GetUser, *, repo: CachedRepo) -> User:
    return await repo.cached(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
