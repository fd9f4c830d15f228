"""A parameter of a room that its name does not have."""

from accounts import USER_ONLINE, User
from daebus import Room, Rooms

TABLE = Room[None]("table:{table}")


async def ask(rooms: Rooms) -> None:
    # wrong
    # ! mypy call-arg: Unexpected keyword argument "tabel" for "__call__" of "Room"; did you mean "table"?
    await rooms.send(TABLE(tabel="1"), USER_ONLINE, User("1"))
    # right
    await rooms.send(TABLE(table="1"), USER_ONLINE, User("1"))
