"""`**kwargs`, which nothing could fill."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(query: GetUser, **kwargs: str) -> User:
    return User(id=query.id, **kwargs)


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'get_user {"id": "u1"}'
