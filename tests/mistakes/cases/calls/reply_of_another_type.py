"""A reply that is used as another type."""

from accounts import COUNT_USERS
from daebus import Bus


async def count(bus: Bus) -> None:
    # wrong
    # ! mypy assignment: Incompatible types in assignment (expression has type "int", variable has type "str")
    # ! pyrefly bad-assignment
    # ! pyright reportAssignmentType: Type "int" is not assignable to declared type "str"
    # ! ty invalid-assignment
    # ! zuban assignment
    found: str = await bus.call(COUNT_USERS)
    # right
    found: int = await bus.call(COUNT_USERS)
    # both
    print(found)
