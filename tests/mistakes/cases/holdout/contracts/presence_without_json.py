"""A room whose members are seen as objects that have no JSON form."""

from accounts import Container, GetUser, Session, User
from daebus import Blueprint, Daebus, Room, Rooms

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


@users.action("count_users")
async def count_users(query: GetUser, *, rooms: Rooms) -> int:
    # ! mypy type-var: Value of type variable "P" of "members" of "Rooms" cannot be "Session"
    # ! pyrefly bad-specialization
    # ! pyright reportArgumentType: Argument of type "RoomAddress[Session]" cannot be assigned to parameter "room" of type "RoomAddress[P@members]" in function "members"
    # ! pyright reportUnknownArgumentType: Argument type is partially unknown
    # ! zuban type-var
    return len(await rooms.members(LOBBY()))


print(Session, User)
app = Daebus("users", container=Container())
app.register_blueprint(users)
