"""A join handler of the name of a room, instead of the room."""

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Room

TABLE = Room[None]("table:{table}")

users = Blueprint("users")


# wrong
# ! mypy arg-type: Argument 1 to "socket_join" of "SocketRecorder" has incompatible type "str"; expected "Room[Never]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['table:{table}']" cannot be assigned to parameter "room" of type "Room[Presence@socket_join]" in function "socket_join"
# ! registration wrong-name: @socket_join(...): it takes a Room, not 'table:{table}'; write ROOM = Room[None]("the_name") and @socket_join(ROOM)
# ! ty invalid-argument-type
# ! zuban arg-type
@users.socket_join("table:{table}")
# right
@users.socket_join(TABLE)
# both
# ! mypy daebus-signature: sit_down: its contract has no types -> write them in brackets, as in Action[Payload, Reply]
async def sit_down(table: str, client: Client) -> None:
    print(table, client.id)


app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
