"""A contract whose payload no JSON can become."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import Database, GetUser, User

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(db: Database) -> User:
    return User(id=db.url)


# right
@broker.subscriber("get_user")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'get_user {"id": "u1"}'
