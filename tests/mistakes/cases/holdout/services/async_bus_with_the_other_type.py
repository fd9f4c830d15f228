"""The provider `bus` with the type of the blocking bus, in a `def` handler."""

from accounts import COUNT_USERS, Container
from daebus import Blueprint, BlockingBus, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("count")
# ! mypy daebus-wiring: count(bus: BlockingBus): the provider "bus" of Container gives Bus, not BlockingBus -> annotate it as Bus, or rename it to "blocking_bus", which gives BlockingBus
# ! registration wrong-type: count(bus: BlockingBus): the provider 'bus' of Container gives Bus; annotate it as Bus, or name it 'blocking_bus', which gives BlockingBus
def count(*, bus: BlockingBus) -> int:
    return bus.call(COUNT_USERS)


# right
@users.action("count")
def count(*, blocking_bus: BlockingBus) -> int:
    return blocking_bus.call(COUNT_USERS)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
