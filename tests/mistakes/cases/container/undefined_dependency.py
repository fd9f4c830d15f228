"""A `Dependency` of the container that is never given a value."""

from dependency_injector import providers

from accounts import Container, Database
from daebus import Blueprint, Daebus


class Own(Container):
    # ! start-up undefined-dependency: Own.archive: this Dependency has no value, and action url needs it; give it to the container, as Own(archive=...), or make it a provider of its own: providers.Singleton(Database)
    archive: providers.Dependency[Database] = providers.Dependency(instance_of=Database)


users = Blueprint("users", services=Own)


@users.action("url")
async def url(*, archive: Database) -> str:
    return archive.url


# wrong
app = Daebus("users", container=Own())
# right
app = Daebus("users", container=Own(archive=Database()))
# both
app.register_blueprint(users)
