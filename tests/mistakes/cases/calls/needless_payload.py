"""A call with a payload for an action that takes none."""

from accounts import COUNT_USERS
from daebus import Bus


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy arg-type: Argument 2 to "call" of "Bus" has incompatible type "str"; expected "None"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Literal['all']" cannot be assigned to parameter "payload" of type "None" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty no-matching-overload
    # ! ty unsound-return
    # ! zuban call-overload
    # ! zuban no-any-return
    return await bus.call(COUNT_USERS, "all")
    # right
    return await bus.call(COUNT_USERS)
