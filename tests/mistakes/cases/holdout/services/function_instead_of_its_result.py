"""A service that is asked for as a function, although its provider calls it."""

import time
from collections.abc import Callable

from accounts import Container
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Own(Container):
    now = providers.Callable(time.time)


users = Blueprint("users", services=Own)


# wrong
@users.action("now")
# ! mypy daebus-wiring: now(now: Callable[[], float]): the provider "now" of Own gives float, not Callable[[], float] -> annotate it as float, or change the provider
async def now(*, now: Callable[[], float]) -> float:
    return now()


# right
@users.action("now")
async def now(*, now: float) -> float:
    return now


# both
app = Daebus("users", container=Own())
app.register_blueprint(users)
