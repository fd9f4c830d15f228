"""One listener of two channels."""

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Channel, Daebus

ORDER_EVENTS = Channel[Created]("order_events")

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument 2 to "listen" of "Recorder" has incompatible type "Channel[Created]"; expected "float"
# ! mypy call-arg: Too many positional arguments for "listen" of "Recorder"
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "listen" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration TypeError: Recorder.listen() takes 2 positional arguments but 3 were given
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.listen(USER_EVENTS, ORDER_EVENTS)
# right
@users.listen(USER_EVENTS)
# both
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
