"""A provider that is given a keyword which its class does not take."""

from typing import Annotated

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import Database, GetUser, UserRepo, get_db

broker = RedisBroker()
app = FastStream(broker)


# wrong
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(databse=db)


# right
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(db=db)


# both
@broker.subscriber("limit")
async def limit(query: GetUser, archive: Annotated[UserRepo, Depends(get_archive)]) -> int:
    return archive.limit + len(query.id)


SEND = 'limit {"id": "u1"}'
