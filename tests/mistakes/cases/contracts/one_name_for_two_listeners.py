"""Two listeners of a durable channel with the same name: each event would reach only one of them."""

from accounts import Created
from daebus import Blueprint, Channel, Daebus

EVENTS = Channel[Created]("events", durable=True)
users = Blueprint("users")


@users.listen(EVENTS, name="mails")
async def welcome(event: Created) -> None:
    print(event.id)


# wrong
# ! registration duplicate-listener: listen events: another listener is called 'mails' too, and of a durable channel each event would reach only one of the two; give one of the two another name: listen(..., name="mails")
@users.listen(EVENTS, name="mails")
# right
@users.listen(EVENTS, name="audit")
# both
async def audit(event: Created) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
