"""`await` before a call of the blocking bus."""

from accounts import GET_USER, GetUser
from daebus import BlockingBus


# wrong
async def name_of(bus: BlockingBus, query: GetUser) -> str:
    # ! mypy misc: Incompatible types in "await" (actual type "User", expected type "Awaitable[Any]")
    # ! pyrefly not-async
    # ! pyright reportGeneralTypeIssues: "User" is not awaitable
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty invalid-await
    # ! zuban misc
    user = await bus.call(GET_USER, query)
    # ! mypy strict no-any-return: Returning Any from function declared to return "str"
    # ! pyright strict reportUnknownMemberType: Type of "name" is unknown
    # ! pyright strict reportUnknownVariableType: Return type is unknown
    # ! ty strict unsound-return
    # ! zuban strict no-any-return
    return user.name


# right
def name_of(bus: BlockingBus, query: GetUser) -> str:
    return bus.call(GET_USER, query).name
