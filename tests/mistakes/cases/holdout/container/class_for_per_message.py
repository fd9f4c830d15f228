"""A `PerMessage` of a class that is no context manager."""

from accounts import Container, GetUser, Session, User, open_session
from daebus import Blueprint, Daebus, PerMessage


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "PerMessage" has incompatible type "type[Session]"; expected "Callable[..., AsyncIterator[Any]]"
    # ! mypy arg-type: Argument 1 to "PerMessage" has incompatible type "type[Session]"; expected "Callable[..., AsyncIterator[Never]]"
    # ! mypy var-annotated: Need type annotation for "unit"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "type[Session]" cannot be assigned to parameter "opens" of type "(...) -> AbstractContextManager[T@PerMessage, bool | None]" in function "__init__"
    # ! pyright reportCallIssue: No overloads for "__init__" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "unit" is partially unknown
    # ! registration wrong-per-message: PerMessage(Session): Session is no generator function and is not known to give a context manager; let it yield the object, or use providers.Factory for an object that needs no closing
    # ! ty no-matching-overload
    # ! zuban call-overload
    unit = PerMessage(Session)
    # right
    unit = PerMessage(open_session, db=Container.db)
    # both


users = Blueprint("users", services=Own)


@users.action("get_user")
async def get_user(query: GetUser, *, unit: Session) -> User:
    return User(query.id, str(unit))


app = Daebus("users", container=Own())
app.register_blueprint(users)
