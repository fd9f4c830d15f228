"""A `ContextLocalResource`, meant as one object per message, although all messages share it."""

from collections.abc import AsyncIterator

from dependency_injector import providers

from accounts import Session
from daebus import Blueprint, Daebus, PerMessage, ServiceContainer


async def open_session() -> AsyncIterator[Session]:
    yield Session()


class Own(ServiceContainer):
    # wrong
    # ! registration context-local: Own.session: it is opened once, when the service starts, and shared by all messages; for an object per message, write session = PerMessage(open_session, ...); for a shared object, use providers.Resource
    session = providers.ContextLocalResource(open_session)
    # right
    session = PerMessage(open_session)


users = Blueprint("users", services=Own)


@users.action("book")
async def book(*, session: Session) -> None:
    print(session, PerMessage, providers)


app = Daebus("users", container=Own())
app.register_blueprint(users)
