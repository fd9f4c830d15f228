"""A call with a payload of another type than the action takes."""

from accounts import GET_USER, GetUser, User
from daebus import Bus


async def show(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: Argument 2 to "call" of "Bus" has incompatible type "User"; expected "GetUser"
    # ! pyright reportArgumentType: Argument of type "User" cannot be assigned to parameter "payload" of type "In@call" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    user = await bus.call(GET_USER, User("u1"))
    # right
    user = await bus.call(GET_USER, GetUser("u1"))
    # both
    # ! pyright reportUnknownArgumentType: Argument type is unknown
    # ! pyright reportUnknownMemberType: Type of "name" is unknown
    print(user.name)
