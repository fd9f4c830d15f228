"""A factory of a coroutine, which would never be awaited."""

from collections.abc import AsyncIterator

from dependency_injector import providers

from accounts import Container, Database
from daebus import Blueprint, Daebus


async def connect() -> Database:
    return Database()


async def open_connection() -> AsyncIterator[Database]:
    yield Database()


class Own(Container):
    # wrong
    archive = providers.Factory(connect)
    # right
    archive = providers.Resource(open_connection)


users = Blueprint("users", services=Own)


@users.action("url")
# ! mypy daebus-wiring: url(archive: Database): the provider "archive" of Own gives a Coroutine[Any, Any, Database], which would never be awaited -> make it a providers.Resource, opened when the service starts, or a PerMessage, opened for each message
# ! registration never-awaited: url(archive: Database): connect && would never be awaited; make it a providers.Resource, opened when the service starts, or a PerMessage, opened for each message
async def url(*, archive: Database) -> str:
    return archive.url


app = Daebus("users", container=Own())
app.register_blueprint(users)
