"""The class of the payload, instead of a payload."""

from accounts import COUNT_USERS, GET_USER, GetUser
from daebus import Bus


async def name_of(bus: Bus) -> str:
    # wrong
    # ! mypy arg-type: Argument 2 to "call" of "Bus" has incompatible type "type[GetUser]"; expected "GetUser"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "type[GetUser]" cannot be assigned to parameter "payload" of type "In@call" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = await bus.call(GET_USER, GetUser)
    # right
    user = await bus.call(GET_USER, GetUser("u1"))
    # both
    # ! pyright strict reportUnknownMemberType: Type of "name" is unknown
    # ! pyright strict reportUnknownVariableType: Return type is unknown
    # ! ty strict unsound-return
    # ! zuban strict no-any-return
    return user.name
