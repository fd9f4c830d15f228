"""A listener of the class of an event, instead of the channel."""

from accounts import USER_EVENTS, Created, Deleted
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "listen" of "Recorder" matches argument type "type[Created]"
# ! mypy untyped-decorator: Untyped decorator makes function "on_event" untyped
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "type[Created]" cannot be assigned to parameter "channel" of type "Channel[Event@listen]" in function "listen"
# ! pyright reportCallIssue: No overloads for "listen" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-name: @listen(...): it takes a name or a Channel, not <class 'accounts.Created'>; write @listen("the_name")
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.listen(Created)
# right
@users.listen(USER_EVENTS)
# both
async def on_event(event: Created | Deleted) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
