"""A listener of a message to browsers."""

from accounts import USER_ONLINE, User
from daebus import Blueprint, Channel, Daebus

ONLINE = Channel[User]("online")

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "listen" of "Recorder" matches argument type "Message[User]"
# ! mypy untyped-decorator: Untyped decorator makes function "on_online" untyped
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Message[User]" cannot be assigned to parameter "channel" of type "Channel[Event@listen]" in function "listen"
# ! pyright reportCallIssue: No overloads for "listen" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-name: @listen(...): it takes a name or a Channel, not Message[User]('user_online'); write @listen('user_online')
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.listen(USER_ONLINE)
# right
@users.listen(ONLINE)
# both
async def on_online(user: User) -> None:
    print(user.id)


app = Daebus("users")
app.register_blueprint(users)
