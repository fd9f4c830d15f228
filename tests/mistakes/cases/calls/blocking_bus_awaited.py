"""`await` before a call of the blocking bus."""

from accounts import GET_USER, GetUser
from daebus import BlockingBus


# wrong
async def name_of(bus: BlockingBus, query: GetUser) -> str:
    # ! mypy misc: Incompatible types in "await" (actual type "User", expected type "Awaitable[Any]")
    # ! pyright reportGeneralTypeIssues: "User" is not awaitable
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    user = await bus.call(GET_USER, query)
    # ! mypy no-any-return: Returning Any from function declared to return "str"
    # ! pyright reportUnknownMemberType: Type of "name" is unknown
    # ! pyright reportUnknownVariableType: Return type is unknown
    return user.name


# right
def name_of(bus: BlockingBus, query: GetUser) -> str:
    return bus.call(GET_USER, query).name
