"""A disconnect handler that returns an answer, although the client has left."""

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
# ! pyrefly bad-specialization
# ! pyright reportArgumentType: Argument of type "(client: Client) -> CoroutineType[Any, Any, str]" cannot be assigned to parameter "handler" of type "Silent@__call__" in function "__call__"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty invalid-argument-type
# ! zuban type-var
@users.socket_disconnect()
# ! mypy daebus-signature: gone: it returns str, but a value that a disconnect handler returns is not used -> write -> None
# ! registration unexpected-reply: gone: it returns str, but a value that a disconnect handler returns is not used; return nothing: -> None
async def gone(client: Client) -> str:
    return client.id


# right
@users.socket_disconnect()
async def gone(client: Client) -> None:
    print(client.id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
