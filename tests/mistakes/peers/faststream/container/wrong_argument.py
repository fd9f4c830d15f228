"""A provider that is given something of another type than its class takes."""

from typing import Annotated

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import Database, GetUser, Session, UserRepo, get_db

broker = RedisBroker()
app = FastStream(broker)


# wrong
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(Session())


# right
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(db=db)


# both
@broker.subscriber("limit")
async def limit(query: GetUser, archive: Annotated[UserRepo, Depends(get_archive)]) -> int:
    return archive.limit + len(query.id)


SEND = 'limit {"id": "u1"}'
