"""A listener whose `match` does not handle all events of the channel."""

from typing import assert_never

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.listen(USER_EVENTS)
async def on_event(event: Created | Deleted) -> None:
    match event:
        case Created():
            print("created", event.id)
        # right
        case Deleted():
            print("deleted", event.id)
        # both
        case _:
            # ! mypy arg-type: Argument 1 to "assert_never" has incompatible type "Deleted"; expected "Never"
            # ! pyrefly bad-argument-type
            # ! pyright reportArgumentType: Argument of type "Deleted" cannot be assigned to parameter "arg" of type "Never" in function "assert_never"
            # ! ty type-assertion-failure
            # ! zuban arg-type
            assert_never(event)


app = Daebus("users")
app.register_blueprint(users)
