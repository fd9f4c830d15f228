"""A call with a payload of another type than the action takes."""

from accounts import GET_USER, GetUser, User
from daebus import Bus


async def show(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: Argument 2 to "call" of "Bus" has incompatible type "User"; expected "GetUser"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Action[GetUser, User]" cannot be assigned to parameter "action" of type "Action[In@call, Out@call]" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = await bus.call(GET_USER, User("u1"))
    # right
    user = await bus.call(GET_USER, GetUser("u1"))
    # both
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    # ! pyright strict reportUnknownMemberType: Type of "name" is unknown
    print(user.name)
