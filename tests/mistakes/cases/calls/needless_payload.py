"""A call with a payload for an action that takes none."""

from daebus import Bus
from shop import COUNT_USERS


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy misc: Cannot infer value of type parameter "In" of "call" of "Bus"
    # ! pyright reportArgumentType: Argument of type "Literal['all']" cannot be assigned to parameter "payload" of type "None" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    return await bus.call(COUNT_USERS, "all")
    # right
    return await bus.call(COUNT_USERS)
