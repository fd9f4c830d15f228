"""A resource that dependency-injector calls context-local, for one object a message: all messages share it."""

from collections.abc import AsyncIterator

from dependency_injector import providers

from accounts import Session
from daebus import Blueprint, Daebus, PerMessage, ServiceContainer


async def open_session() -> AsyncIterator[Session]:
    yield Session()


class Own(ServiceContainer):
    # wrong
    # ! registration context-local: Own.session: it is opened once, at the start, and all messages share it; for one a message, write session = PerMessage(open_session, ...); for one that all share, providers.Resource
    session = providers.ContextLocalResource(open_session)
    # right
    session = PerMessage(open_session)


users = Blueprint("users", services=Own)


@users.action("book")
async def book(*, session: Session) -> None:
    print(session, PerMessage, providers)


app = Daebus("users", container=Own())
app.register_blueprint(users)
