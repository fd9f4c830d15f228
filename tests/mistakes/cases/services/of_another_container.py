"""`use(...)` of a provider that the app's container does not have."""

from dependency_injector import providers

from accounts import Container, Database
from daebus import Blueprint, Daebus, ServiceContainer, use


class Other(ServiceContainer):
    db = providers.Singleton(Database)


users = Blueprint("users", services=Container)


# wrong
@users.action("url")
# ! mypy daebus-wiring: url(db: Database): use(...) names a provider of Other, and the container is Container -> use a provider of Container, of its bases, or of a container nested in it
# ! registration foreign-provider: url(db: Database): use(...) names a provider that Container does not have; use a provider of the app's own container class, of its bases or of a container nested in it
async def url(*, db: Database = use(Other.db)) -> str:
    return db.url


# right
@users.action("url")
async def url(*, db: Database = use(Container.db)) -> str:
    return db.url


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
