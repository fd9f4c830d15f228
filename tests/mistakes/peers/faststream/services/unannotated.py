"""A service without an annotation."""

from typing import Annotated

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import Database, GetUser, get_db

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("url")
async def url(query: GetUser, db=Depends(get_db)) -> str:
    return db.url + query.id


# right
@broker.subscriber("url")
async def url(query: GetUser, db: Annotated[Database, Depends(get_db)]) -> str:
    return db.url + query.id


# both
SEND = 'url {"id": "u1"}'
