"""A call with a payload for an action that takes none."""

from accounts import COUNT_USERS
from daebus import Bus


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy arg-type: Argument 2 to "call" of "Bus" has incompatible type "str"; expected "None"
    # ! pyright reportArgumentType: Argument of type "Literal['all']" cannot be assigned to parameter "payload" of type "None" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    return await bus.call(COUNT_USERS, "all")
    # right
    return await bus.call(COUNT_USERS)
