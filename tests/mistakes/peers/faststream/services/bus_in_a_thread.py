"""A `def` handler, which runs in a thread, that asks for the bus of the event loop."""

from faststream import FastStream
from faststream.redis import RedisBroker

from accounts import GetUser, Repo

broker = RedisBroker()
app = FastStream(broker)


# wrong
@broker.subscriber("count")
def count(query: GetUser, repo: Repo) -> str:
    return str(repo.find(query.id))


# right
@broker.subscriber("count")
def count(query: GetUser, repo: Repo) -> str:
    return str(repo.read(query.id))


# both
SEND = 'count {"id": "u1"}'
