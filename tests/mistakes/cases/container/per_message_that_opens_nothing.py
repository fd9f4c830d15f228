"""A `PerMessage` of a function that is not a generator and returns no context manager."""

from collections.abc import Iterator

from accounts import Container, Database, Session
from daebus import Blueprint, Daebus, PerMessage


def make_session(db: Database) -> Session:
    return Session()


def open_session(db: Database) -> Iterator[Session]:
    yield Session()


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "PerMessage" has incompatible type "Callable[[Database], Session]"; expected "Callable[..., AsyncIterator[Any]]"
    # ! mypy arg-type: Argument 1 to "PerMessage" has incompatible type "Callable[[Database], Session]"; expected "Callable[..., AsyncIterator[Never]]"
    # ! mypy var-annotated: Need type annotation for "unit"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "(db: Database) -> Session" cannot be assigned to parameter "opens" of type "(...) -> AbstractContextManager[T@PerMessage, bool | None]" in function "__init__"
    # ! pyright reportCallIssue: No overloads for "__init__" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "unit" is partially unknown
    # ! registration wrong-per-message: PerMessage(make_session): make_session is no generator function and is not known to give a context manager; let it yield the object, or use providers.Factory for an object that needs no closing
    # ! ty no-matching-overload
    # ! zuban call-overload
    unit = PerMessage(make_session, db=Container.db)
    # right
    unit = PerMessage(open_session, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("work")
async def work(*, unit: Session) -> None:
    print(unit)


app = Daebus("users", container=Own())
app.register_blueprint(users)
