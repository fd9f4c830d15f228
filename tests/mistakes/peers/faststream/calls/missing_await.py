"""A forgotten `await` before a call."""

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
    response = broker.request(GetUser(id="u1"), "get_user")
    print(response.body)


# right
async def first_message() -> None:
    response = await broker.request(GetUser(id="u1"), "get_user")
    print(response.body)
