"""A listener that is annotated with only one of the channel's two events."""

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "(event: Created) -> CoroutineType[Any, Any, None]" cannot be assigned to parameter "handler" of type "PayloadHandler[Created | Deleted, Nothing@__call__, P@__call__, Rest@__call__]" in function "__call__"
# ! ty invalid-argument-type
# ! zuban arg-type
@users.listen(USER_EVENTS)
# ! mypy daebus-signature: on_event(event: Created): the channel carries Created | Deleted, not only Created -> annotate it as Created | Deleted, or change the channel
# ! registration wrong-payload: on_event(event: Created): the payload of the contract is Created | Deleted; annotate it as Created | Deleted, or change the contract
async def on_event(event: Created) -> None:
    print(event.id)


# right
@users.listen(USER_EVENTS)
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


# both
app = Daebus("users")
app.register_blueprint(users)
