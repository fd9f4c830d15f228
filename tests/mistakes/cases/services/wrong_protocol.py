"""A service that lacks a method of the protocol that the handler asks for."""

from typing import Protocol

from accounts import Container, GetUser, User
from daebus import Blueprint, Daebus


class Finder(Protocol):
    # wrong
    async def get(self, id: str) -> User: ...
    # right
    async def find(self, id: str) -> User: ...


users = Blueprint("users", services=Container)


@users.action("get_user")
# ! mypy daebus-wiring: get_user(repo: Finder): the provider "repo" of Container gives UserRepo, not Finder -> annotate it as UserRepo, or change the provider
# ! registration wrong-type: get_user(repo: Finder): the provider 'repo' of Container gives UserRepo; annotate it as UserRepo, or change the provider
async def get_user(query: GetUser, *, repo: Finder) -> User:
    # wrong
    return await repo.get(query.id)
    # right
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
