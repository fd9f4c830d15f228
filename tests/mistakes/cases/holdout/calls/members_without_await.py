"""The members of a room, without `await`."""

from accounts import User
from daebus import Room, Rooms

LOBBY = Room[User]("lobby")


async def ask(rooms: Rooms) -> list[User]:
    # wrong
    # ! mypy attr-defined: "Coroutine[Any, Any, list[Member[User]]]" has no attribute "__iter__" (not iterable)
    # ! pyrefly not-iterable
    # ! pyright reportGeneralTypeIssues: "CoroutineType[Any, Any, list[Member[User]]]" is not iterable
    # ! pyright reportUnknownMemberType: Type of "data" is unknown
    # ! pyright reportUnknownVariableType: Type of "member" is unknown
    # ! ty not-iterable
    # ! zuban attr-defined
    return [member.data for member in rooms.members(LOBBY())]
    # right
    return [member.data for member in await rooms.members(LOBBY())]
