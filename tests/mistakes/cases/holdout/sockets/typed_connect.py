"""`socket_connect` with a type of message."""

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument 1 to "socket_connect" of "SocketRecorder" has incompatible type "str"; expected "Never"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['hello']" cannot be assigned to parameter "without_brackets" of type "Never" in function "socket_connect"
# ! registration wrong-name: @socket_connect: it stands here without brackets; write @socket_connect()
# ! ty invalid-argument-type
# ! zuban arg-type
@users.socket_connect("hello")
# right
@users.socket_connect()
# both
async def hello(client: Client) -> str:
    return client.id


app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
