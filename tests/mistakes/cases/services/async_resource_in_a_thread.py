"""A `def` handler that takes an object which an async generator opened on the event loop."""

from accounts import Container, Database
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("url")
# ! registration async-resource: url(pool: Database): a `def` handler runs in a thread, and what an async Resource gives belongs to the event loop; make the handler `async def`, or open it by a plain generator, `def ...: yield`
def url(*, pool: Database) -> str:
    return pool.url


# right
@users.action("url")
async def url(*, pool: Database) -> str:
    return pool.url


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
