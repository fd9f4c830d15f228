"""A room whose members are seen as objects that have no JSON form."""

from accounts import Container, GetUser, Session, User, UserRepo
from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Room

# wrong
# ! mypy type-var: Value of type variable "Presence_co" of "Room" cannot be "Session"
# ! pyrefly bad-specialization
# ! pyright reportInvalidTypeArguments: Type "Session" cannot be assigned to type variable "Presence_co@Room"
# ! registration undecodable: Room('lobby'): it cannot go over the wire as JSON: Session has no JSON form; use a msgspec.Struct, a dataclass, or what msgspec supports
# ! ty invalid-type-arguments
# ! zuban type-var
LOBBY = Room[Session]("lobby")
# right
LOBBY = Room[User]("lobby")
# both

users = Blueprint("users", services=Container)


# ! mypy type-var: Value of type variable "Presence" of "socket_join" of "SocketRecorder" cannot be "Session"
# ! pyrefly bad-specialization
# ! pyright reportArgumentType: Argument of type "Room[Session]" cannot be assigned to parameter "room" of type "Room[Presence@socket_join]" in function "socket_join"
# ! zuban type-var
@users.socket_join(LOBBY)
# wrong
# ! mypy daebus-signature: enter: a Session cannot be encoded as JSON -> return a msgspec.Struct, a dataclass, or what msgspec supports
async def enter(client: Client) -> Session:
    return Session()


# right
async def enter(client: Client) -> User:
    return User(client.id)


# both


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


print(Session, User)
app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
