"""`@socket()` without the type of the message."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
# ! mypy call-arg: Missing positional argument "message_type" in call to "socket" of "SocketRecorder"
# ! pyrefly missing-argument
# ! pyright reportCallIssue: Argument missing for parameter "message_type"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration TypeError: SocketRecorder.socket() missing 1 required positional argument: 'message_type'
# ! ty missing-argument
# ! zuban call-arg
@users.socket()
# right
@users.socket("get_user")
# both
async def get_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
