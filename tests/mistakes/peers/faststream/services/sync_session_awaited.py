"""A synchronous repository that is awaited."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, Repo, User

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Repo) -> User:
    return await repo.read(query.id)


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Repo) -> User:
    return await repo.find(query.id)


# both
SEND = 'get_user {"id": "u1"}'
