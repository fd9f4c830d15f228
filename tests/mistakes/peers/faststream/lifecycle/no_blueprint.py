"""A module that is registered instead of the blueprint in it."""

from faststream import FastStream
from faststream.redis import RedisBroker, RedisRouter

import accounts
from accounts import GetUser, User

broker = RedisBroker()
app = FastStream(broker)
users = RedisRouter()


@users.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# wrong
broker.include_router(accounts)

# right
broker.include_router(users)

# both
SEND = 'get_user {"id": "u1"}'
