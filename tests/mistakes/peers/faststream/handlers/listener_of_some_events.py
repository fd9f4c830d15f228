"""A listener that takes one of the channel's two events."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import Created, Deleted

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("user_events")
async def on_event(event: Created) -> None:
    print(event.id)


# right
@broker.subscriber("user_events")
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


# both
SEND = 'user_events {"kind": "deleted", "id": "u1"}'
