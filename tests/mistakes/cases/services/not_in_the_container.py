"""A service that the container does not have."""

from dependency_injector import providers

from accounts import Container, GetUser, User
from daebus import Blueprint, Daebus


class Clock:
    def now(self) -> float:
        return 0.0


# wrong
class Own(Container):
    pass


# right
class Own(Container):
    clock = providers.Singleton(Clock)


# both
users = Blueprint("users", services=Own)


@users.action("now")
# ! mypy daebus-wiring: now(clock: Clock): Own has no provider "clock"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> add `clock = providers.Singleton(Clock)` to Own
# ! registration unknown-service: now(clock: Clock): Own has no provider 'clock'; add `clock = providers.Singleton(Clock)` to Own
async def now(query: GetUser, *, clock: Clock) -> User:
    return User(query.id, str(clock.now()))


app = Daebus("users", container=Own())
app.register_blueprint(users)
