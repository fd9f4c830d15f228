"""An object of one message, kept by a singleton for ever."""

from litestar import Litestar, get
from litestar.di import Provide

from accounts import Session, provide_session


class Ledger:
    def __init__(self, session: Session) -> None:
        self.session = session


async def provide_ledger(session: Session) -> Ledger:
    return Ledger(session)


# wrong
DEPENDENCIES = {"session": Provide(provide_session), "ledger": Provide(provide_ledger, use_cache=True)}

# right
DEPENDENCIES = {"session": Provide(provide_session), "ledger": Provide(provide_ledger)}


# both
@get("/book")
async def book(ledger: Ledger) -> str:
    return ledger.session.execute("u1").id


app = Litestar([book], dependencies=DEPENDENCIES)
SEND = "GET /book"
