"""`start=` for a channel that is given by name, and is therefore a plain channel."""

from accounts import Created
from daebus import Blueprint, Channel, Daebus

EVENTS = Channel[Created]("events", durable=True)
users = Blueprint("users")


# wrong
# ! mypy call-arg: Unexpected keyword argument "start" for "listen" of "Recorder"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Literal['events']" cannot be assigned to parameter "channel" of type "Channel[Event@listen]" in function "listen"
# ! registration wrong-option: @listen('events'): start='latest', but only a durable channel stores the position of a listener; remove start=, or make the channel durable: Channel[...](..., durable=True)
# ! zuban call-overload
# ! zuban untyped-decorator
@users.listen("events", start="latest")
# right
@users.listen(EVENTS, start="latest")
# both
async def show(event: Created) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
