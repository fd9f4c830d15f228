"""A service that the container only annotates."""

from accounts import Container
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Clock:
    def read(self) -> float:
        return 0.0


class Own(Container):
    # wrong
    clock: Clock
    # right
    clock = providers.Singleton(Clock)


users = Blueprint("users", services=Own)


@users.action("now")
# ! mypy daebus-wiring: now(clock: Clock): Own.clock is not a provider -> make it one: clock = providers.Object(...)
# ! registration unknown-service: now(clock: Clock): Own has no provider 'clock'; add `clock = providers.Singleton(Clock)` to Own
async def now(*, clock: Clock) -> float:
    return clock.read()


app = Daebus("users", container=Own())
app.register_blueprint(users)
