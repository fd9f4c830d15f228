"""A timeout that is not a number."""

from accounts import COUNT_USERS
from daebus import Bus


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy arg-type: Argument "timeout" to "call" of "Bus" has incompatible type "str"; expected "float | None"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Literal['2s']" cannot be assigned to parameter "timeout" of type "float | None" in function "call"
    # ! ty invalid-argument-type
    # ! ty unsound-return
    # ! zuban call-overload
    # ! zuban no-any-return
    return await bus.call(COUNT_USERS, timeout="2s")
    # right
    return await bus.call(COUNT_USERS, timeout=2)
