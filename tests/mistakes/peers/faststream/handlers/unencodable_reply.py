"""A reply that cannot be written as JSON."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, Repo, User, UserRepo

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Repo) -> UserRepo:
    return repo


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser, repo: Repo) -> User:
    return await repo.find(query.id)


# both
async def first_message() -> None:
    await broker.request({"id": "u1"}, "get_user")
