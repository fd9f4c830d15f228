"""A join handler that returns another type than its room shows."""

from accounts import Container, User
from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Room

LOBBY = Room[User]("lobby")

users = Blueprint("users", services=Container)


# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(client: Client) -> CoroutineType[Any, Any, str]" cannot be assigned to parameter "handler" of type "(**P@__call__) -> User" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty no-matching-overload
# ! zuban arg-type
@users.socket_join(LOBBY)
# wrong
# ! mypy daebus-signature: enter: it returns str, but its contract says User -> return User, or change the contract
# ! registration wrong-reply: enter: it returns str, but its contract says User; return User, or change the contract
async def enter(client: Client) -> str:
    return client.id


# right
async def enter(client: Client) -> User:
    return User(client.id)


# both


app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
