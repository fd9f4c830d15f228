"""A service that lacks a method of the protocol that the handler asks for."""

from typing import Protocol

from litestar import Litestar, get

from accounts import DEPENDENCIES, User, UserRepo


# wrong
class Finder(Protocol):
    async def get(self, id: str) -> User: ...


@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: Finder) -> User:
    return await repo.get(user_id)


# right
class Finder(Protocol):
    async def find(self, id: str) -> User: ...


@get("/users/{user_id:str}")
async def get_user(user_id: str, repo: UserRepo) -> User:
    return await repo.find(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
