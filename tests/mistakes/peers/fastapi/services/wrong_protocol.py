"""A service that lacks a method of the protocol that the handler asks for."""

from typing import Annotated, Protocol

from fastapi import Depends, FastAPI

from accounts import User, get_repo

app = FastAPI()


# wrong
class Finder(Protocol):
    async def get(self, id: str) -> User: ...


@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Annotated[Finder, Depends(get_repo)]) -> User:
    return await repo.get(user_id)


# right
class Finder(Protocol):
    async def find(self, id: str) -> User: ...


@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Annotated[Finder, Depends(get_repo)]) -> User:
    return await repo.find(user_id)


# both
SEND = "GET /users/u1"
