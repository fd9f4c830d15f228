"""The fields of the payload as keywords of the call, instead of the payload."""

from accounts import GET_USER, GetUser, User
from daebus import Bus


async def ask(bus: Bus) -> User:
    # wrong
    # ! mypy call-arg: Unexpected keyword argument "id" for "call" of "Bus"
    # ! pyrefly no-matching-overload
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty no-matching-overload
    # ! ty unsound-return
    # ! zuban call-overload
    # ! zuban no-any-return
    return await bus.call(GET_USER, id="1")
    # right
    return await bus.call(GET_USER, GetUser(id="1"))
