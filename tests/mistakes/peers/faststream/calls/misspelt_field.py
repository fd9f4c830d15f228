"""A field that the reply does not have."""

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
    response = await broker.request(GetUser(id="u1"), "get_user")
    user = User.model_validate(await response.decode())
    print(user.nmae)


# right
async def first_message() -> None:
    response = await broker.request(GetUser(id="u1"), "get_user")
    user = User.model_validate(await response.decode())
    print(user.name)
