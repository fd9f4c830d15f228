"""A listener that returns a value, which is never used."""

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly bad-specialization
# ! pyright reportArgumentType: Argument of type "(event: Created | Deleted) -> CoroutineType[Any, Any, str]" cannot be assigned to parameter "handler" of type "PayloadHandler[Created | Deleted, Nothing@__call__, P@__call__, Rest@__call__]" in function "__call__"
# ! ty invalid-argument-type
# ! zuban arg-type
@users.listen(USER_EVENTS)
# ! mypy daebus-signature: on_event: it returns str, but a value that a listener returns is not used -> write -> None
# ! registration unexpected-reply: on_event: it returns str, but a value that a listener returns is not used; return nothing: -> None
async def on_event(event: Created | Deleted) -> str:
    return event.id


# right
@users.listen(USER_EVENTS)
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


# both
app = Daebus("users")
app.register_blueprint(users)
