"""An `async def` handler that takes the blocking bus, which would block the event loop."""

from accounts import COUNT_USERS
from daebus import BlockingBus, Blueprint, Bus, Daebus

users = Blueprint("users")


# wrong
@users.action("count")
# ! mypy daebus-wiring: count(blocking_bus: BlockingBus): an `async def` handler runs on the event loop, which a BlockingBus would block -> ask for "bus", or make the handler `def`
# ! registration blocks-the-loop: count(blocking_bus: BlockingBus): an `async def` handler runs on the event loop, which a BlockingBus would block; ask for 'bus', or make the handler `def`
async def count(*, blocking_bus: BlockingBus) -> int:
    return blocking_bus.call(COUNT_USERS)


# right
@users.action("count")
async def count(*, bus: Bus) -> int:
    return await bus.call(COUNT_USERS)


# both
app = Daebus("users")
app.register_blueprint(users)
