"""A per-message object that a singleton keeps for the life of the service."""

from dependency_injector import providers

from accounts import Container, Session
from daebus import Blueprint, Daebus


class Ledger:
    def __init__(self, session: Session) -> None:
        self.session = session


class Own(Container):
    # wrong
    # ! mypy daebus-wiring: Singleton(..., session): the Singleton lives as long as the service, but would keep an object of one message -> make it a providers.Factory, or pass session at each call
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "PerMessage[Session]" cannot be assigned to parameter "session" of type "_Lasting" in function "__init__"
    # ! registration captured-message-object: Own.ledger: 'ledger' lives as long as the service, but keeps the per-message object of open_session; make 'ledger' a providers.Factory, or pass the object at each call
    # ! zuban arg-type
    ledger = providers.Singleton(Ledger, session=Container.session)
    # right
    ledger = providers.Factory(Ledger, session=Container.session)


users = Blueprint("users", services=Own)


@users.action("book")
async def book(*, ledger: Ledger) -> None:
    print(ledger.session)


app = Daebus("users", container=Own())
app.register_blueprint(users)
