"""A module that is registered instead of the blueprint in it."""

import shop
from faststream import FastStream
from faststream.redis import RedisBroker, RedisRouter

from shop import GetUser, User

broker = RedisBroker()
app = FastStream(broker)
users = RedisRouter()


@users.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# wrong
broker.include_router(shop)

# right
broker.include_router(users)

# both
SEND = 'get_user {"id": "u1"}'
