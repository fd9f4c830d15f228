"""A message to the contract of a room that has a parameter, instead of to one room."""

from accounts import USER_ONLINE, User
from daebus import Room, Rooms

TABLE = Room[None]("table:{table}")


async def ask(rooms: Rooms) -> None:
    # wrong
    # ! mypy arg-type: Argument 1 to "send" of "Rooms" has incompatible type "Room[None]"; expected "RoomAddress[Encodable]"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Room[None]" cannot be assigned to parameter "room" of type "RoomAddress[Encodable]" in function "send"
    # ! ty invalid-argument-type
    # ! zuban call-overload
    await rooms.send(TABLE, USER_ONLINE, User("1"))
    # right
    await rooms.send(TABLE(table="1"), USER_ONLINE, User("1"))
