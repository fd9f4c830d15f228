"""`with` around a bus, instead of `async with`."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User

broker = RedisBroker()
app = FastStream(broker)


@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# wrong
async def send() -> None:
    with RedisBroker() as client:
        await client.publish("u1", "get_user")


# right
async def send() -> None:
    async with RedisBroker() as client:
        await client.publish("u1", "get_user")


# both
SEND = 'get_user {"id": "u1"}'
