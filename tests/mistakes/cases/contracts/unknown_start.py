"""A value of `start=` that does not exist."""

from accounts import Created
from daebus import Blueprint, Channel, Daebus

EVENTS = Channel[Created]("events", durable=True)
users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument "start" to "listen" of "Recorder" has incompatible type "Literal['beginning']"; expected "Literal['earliest', 'latest']"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Literal['beginning']" cannot be assigned to parameter "start" of type "Start" in function "listen"
# ! registration wrong-option: @listen('events'): start='beginning' is not an allowed value; give one of 'earliest', 'latest'
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.listen(EVENTS, start="beginning")
# right
@users.listen(EVENTS, start="earliest")
# both
async def show(event: Created) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
