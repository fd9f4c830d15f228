"""A `def` handler, which runs in a thread, that takes the bus of the event loop."""

from accounts import COUNT_USERS
from daebus import BlockingBus, Blueprint, Bus, Daebus

users = Blueprint("users")


# wrong
@users.action("count")
# ! mypy daebus-wiring: count(bus: Bus): a `def` handler runs in a thread, where a Bus cannot be awaited -> ask for "blocking_bus", or make the handler `async def`
# ! registration needs-the-loop: count(bus: Bus): a `def` handler runs in a thread, where a Bus cannot be awaited; ask for 'blocking_bus', or make the handler `async def`
def count(*, bus: Bus) -> str:
    return str(bus.call(COUNT_USERS))


# right
@users.action("count")
def count(*, blocking_bus: BlockingBus) -> str:
    return str(blocking_bus.call(COUNT_USERS))


# both
app = Daebus("users")
app.register_blueprint(users)
