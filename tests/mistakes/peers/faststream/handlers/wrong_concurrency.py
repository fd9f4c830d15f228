"""A concurrency that is no number."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user", max_workers="many")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# right
@broker.subscriber("get_user", max_workers=8)
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'get_user {"id": "u1"}'
