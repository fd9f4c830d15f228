"""An `async def` handler that asks for the blocking bus, which would block the event loop."""

from typing import Annotated

from faststream import Depends, FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, Session, User, get_session

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("get_user")
async def get_user(query: GetUser, session: Annotated[Session, Depends(get_session)]) -> User:
    return session.execute(query.id)


# right
@broker.subscriber("get_user")
def get_user(query: GetUser, session: Annotated[Session, Depends(get_session)]) -> User:
    return session.execute(query.id)


# both
SEND = 'get_user {"id": "u1"}'
