"""A timeout that is no number."""

from daebus import Bus
from shop import COUNT_USERS


async def count(bus: Bus) -> int:
    # wrong
    # ! mypy call-overload: No overload variant of "call" of "Bus" matches argument types "Action[None, int]", "str"
    # ! mypy no-any-return: Returning Any from function declared to return "int"
    # ! pyright reportArgumentType: Argument of type "Literal['2s']" cannot be assigned to parameter "timeout" of type "float | None" in function "call"
    return await bus.call(COUNT_USERS, timeout="2s")
    # right
    return await bus.call(COUNT_USERS, timeout=2)
