"""An event that the channel does not carry."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import Created

broker = RedisBroker()
app = FastStream(broker)
events = broker.publisher("user_events", schema=Created)


@broker.subscriber("user_events")
async def on_event(event: Created) -> None:
    print(event.id)


# wrong
async def first_message() -> None:
    await events.publish({"user_id": "u1"})


# right
async def first_message() -> None:
    await events.publish(Created(id="u1"))
