"""An option of the app that does not exist."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User

# wrong
broker = RedisBroker(max_worker=8)

# right
broker = RedisBroker(graceful_timeout=8)

# both
app = FastStream(broker)


@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


SEND = 'get_user {"id": "u1"}'
