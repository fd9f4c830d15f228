"""A listener name on a plain channel, which stores no positions of listeners."""

from accounts import Created
from daebus import Blueprint, Channel, Daebus

# wrong
EVENTS = Channel[Created]("events")
# right
EVENTS = Channel[Created]("events", durable=True)
# both
users = Blueprint("users")


# ! registration wrong-option: @listen('events'): name='mails', but only a durable channel stores the position of a listener; remove name=, or make the channel durable: Channel[...](..., durable=True)
@users.listen(EVENTS, name="mails")
async def show(event: Created) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
