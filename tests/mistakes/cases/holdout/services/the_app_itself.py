"""The app as a service."""

from accounts import Container, Database
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("where")
# ! mypy daebus-wiring: where(app: Daebus[ServiceContainer]): Container has no provider "app"; it has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> add `app = providers.Singleton(Daebus[ServiceContainer])` to Container
# ! registration unknown-service: where(app: Daebus): Container has no provider 'app'; add `app = providers.Singleton(Daebus)` to Container
async def where(*, app: Daebus) -> str:
    return str(app)


# right
@users.action("where")
async def where(*, db: Database) -> str:
    return db.url


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
