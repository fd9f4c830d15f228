"""A forgotten `await` on what a repository finds, which is then the reply."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, Repo, User

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Repo) -> User:
    return repo.find(query.id)


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Repo) -> User:
    return await repo.find(query.id)


# both
SEND = 'get_user {"id": "u1"}'
