"""A forgotten `*` between the payload and the services."""

from typing import Annotated

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User, UserRepo, get_repo

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: UserRepo) -> User:
    return await repo.find(query.id)


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Annotated[UserRepo, Depends(get_repo)]) -> User:
    return await repo.find(query.id)


# both
SEND = 'get_user {"id": "u1"}'
