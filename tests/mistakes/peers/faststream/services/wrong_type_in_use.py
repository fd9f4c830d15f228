"""A service of another type than the provider in `use(...)` gives."""

from typing import Annotated

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import Database, GetUser, get_db, get_repo

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("url")
async def url(query: GetUser, db: Annotated[Database, Depends(get_repo)]) -> str:
    return db.url + query.id


# right
@broker.subscriber("url")
async def url(query: GetUser, db: Annotated[Database, Depends(get_db)]) -> str:
    return db.url + query.id


# both
SEND = 'url {"id": "u1"}'
