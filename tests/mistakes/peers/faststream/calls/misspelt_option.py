"""An option of a call that does not exist."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, User

broker = RedisBroker()
app = FastStream(broker)


@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# wrong
async def first_message() -> None:
    await broker.request(GetUser(id="u1"), "get_user", timout=2)


# right
async def first_message() -> None:
    await broker.request(GetUser(id="u1"), "get_user", timeout=2)
