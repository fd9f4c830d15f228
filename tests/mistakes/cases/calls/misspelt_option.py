"""An option of a call that does not exist."""

from accounts import COUNT_USERS
from daebus import Bus


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy call-arg: Unexpected keyword argument "timout" for "call" of "Bus"; did you mean "timeout"?
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    return await bus.call(COUNT_USERS, timout=2)
    # right
    return await bus.call(COUNT_USERS, timeout=2)
