"""An option of a call that does not exist."""

from accounts import COUNT_USERS
from daebus import Bus


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy call-arg: Unexpected keyword argument "timout" for "call" of "Bus"; did you mean "timeout"?
    # ! pyrefly no-matching-overload
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty no-matching-overload
    # ! ty unsound-return
    # ! zuban call-overload
    # ! zuban no-any-return
    return await bus.call(COUNT_USERS, timout=2)
    # right
    return await bus.call(COUNT_USERS, timeout=2)
