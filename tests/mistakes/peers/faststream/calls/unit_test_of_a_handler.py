"""A unit test that calls a handler with arguments of other types."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import Database, Repo, User, UserRepo

broker = RedisBroker()
app = FastStream(broker)


@broker.subscriber("get_user")
async def get_user(user_id: str, repo: Repo) -> User:
    return await repo.find(user_id)


# wrong
async def test_get_user() -> None:
    assert await get_user("u1", Database())


# right
async def test_get_user() -> None:
    assert await get_user("u1", UserRepo(Database()))


# both
SEND = 'get_user "u1"'
