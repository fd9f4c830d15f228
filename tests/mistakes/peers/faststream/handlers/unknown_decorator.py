"""A decorator that does not exist."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.listener("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'get_user {"id": "u1"}'
