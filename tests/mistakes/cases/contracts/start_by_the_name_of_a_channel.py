"""Where a listener begins, said of a channel that is given by its name, and so is a plain one."""

from accounts import Created
from daebus import Blueprint, Channel, Daebus

EVENTS = Channel[Created]("events", durable=True)
users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "listen" of "Recorder" matches argument types "str", "str"
# ! mypy untyped-decorator: Untyped decorator makes function "show" untyped
# ! pyright reportArgumentType: Argument of type "Literal['events']" cannot be assigned to parameter "channel" of type "Channel[Event@listen]" in function "listen"
# ! registration wrong-option: @listen('events'): start='latest', but only in a durable channel has a listener a place that is kept; remove start=, or make the channel durable: Channel[...](..., durable=True)
@users.listen("events", start="latest")
# right
@users.listen(EVENTS, start="latest")
# both
async def show(event: Created) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
