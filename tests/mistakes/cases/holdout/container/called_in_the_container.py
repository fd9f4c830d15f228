"""A provider that is called in the container: its object is made at import, and is not the one of the container."""

from accounts import Container, Database
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Counter:
    def __init__(self, db: Database) -> None:
        self.db = db


class Own(Container):
    # wrong
    # ! mypy daebus-wiring: Singleton(..., db()): it is called here, when the module is imported, so its object is not that of the container -> pass the provider: db, without ()
    # ! start-up wrong-argument: Own.counter: db() is called at import, so its object is not that of the container; pass the provider: db, without ()
    counter = providers.Singleton(Counter, db=Container.db())
    # right
    counter = providers.Singleton(Counter, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("count")
async def count(*, counter: Counter) -> str:
    return counter.db.url


app = Daebus("users", container=Own())
app.register_blueprint(users)
