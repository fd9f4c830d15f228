"""A listener that does not take the event."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import Created, Deleted, Repo

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("user_events")
async def on_event(repo: Repo) -> None:
    print(repo)


# right
@broker.subscriber("user_events")
async def on_event(event: Created | Deleted, repo: Repo) -> None:
    print(event.id, repo)


# both
SEND = 'user_events {"kind": "deleted", "id": "u1"}'
