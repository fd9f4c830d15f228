"""A reply that is taken for something else."""

from faststream import FastStream
from faststream.redis import RedisBroker
from pydantic import BaseModel

from accounts import GetUser, User


class Count(BaseModel):
    count: int


broker = RedisBroker()
app = FastStream(broker)


@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# wrong
async def first_message() -> None:
    response = await broker.request(GetUser(id="u1"), "get_user")
    print(Count.model_validate(await response.decode()))


# right
async def first_message() -> None:
    response = await broker.request(GetUser(id="u1"), "get_user")
    print(User.model_validate(await response.decode()))
