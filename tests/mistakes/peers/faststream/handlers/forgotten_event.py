"""A listener that forgets one of the events, where it is to handle each."""

from typing import assert_never

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import Created, Deleted

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("user_events")
async def on_event(event: Created | Deleted) -> None:
    match event:
        case Created():
            print("created", event.id)
        case _:
            assert_never(event)


# right
@broker.subscriber("user_events")
async def on_event(event: Created | Deleted) -> None:
    match event:
        case Created():
            print("created", event.id)
        case Deleted():
            print("deleted", event.id)
        case _:
            assert_never(event)


# both
SEND = 'user_events {"kind": "deleted", "id": "u1"}'
