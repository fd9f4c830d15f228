"""A reply that is taken for something else."""

from daebus import Bus
from shop import COUNT_USERS


async def count(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: Argument 1 to "call" of "Bus" has incompatible type "Action[None, int]"; expected "Action[None, str]"
    # ! pyright reportAssignmentType: Type "int" is not assignable to declared type "str"
    found: str = await bus.call(COUNT_USERS)
    # right
    found: int = await bus.call(COUNT_USERS)
    # both
    print(found)
