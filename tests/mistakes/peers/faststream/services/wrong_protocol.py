"""A service that lacks a method of the protocol that the handler asks for."""

from typing import Annotated, Protocol

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User, UserRepo, get_repo

broker = RedisBroker()
app = FastStream(broker)


# wrong
class Finder(Protocol):
    async def get(self, id: str) -> User: ...


@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Annotated[Finder, Depends(get_repo)]) -> User:
    return await repo.get(query.id)


# right
class Finder(Protocol):
    async def find(self, id: str) -> User: ...


@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Annotated[UserRepo, Depends(get_repo)]) -> User:
    return await repo.find(query.id)


# both
SEND = 'get_user {"id": "u1"}'
