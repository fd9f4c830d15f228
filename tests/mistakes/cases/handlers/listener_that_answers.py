"""A listener that returns something, which nobody would get."""

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyright reportArgumentType: Argument of type "(event: Created | Deleted) -> CoroutineType[Any, Any, str]" cannot be assigned to parameter "handler" of type "PayloadHandler[Created | Deleted, Nothing@__call__, P@__call__]" in function "__call__"
@users.listen(USER_EVENTS)
# ! mypy daebus-signature: on_event: it returns str, and nobody gets what a listener returns -> write -> None
# ! registration unexpected-reply: on_event: it returns str, and nobody gets what a listener returns; return nothing: -> None
async def on_event(event: Created | Deleted) -> str:
    return event.id


# right
@users.listen(USER_EVENTS)
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


# both
app = Daebus("users")
app.register_blueprint(users)
