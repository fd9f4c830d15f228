"""A call without the payload that the action takes."""

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
    await broker.request(None, "get_user")


# right
async def first_message() -> None:
    await broker.request(GetUser(id="u1"), "get_user")
