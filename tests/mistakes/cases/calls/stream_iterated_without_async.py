"""`for` over a stream, instead of `async for`."""

from accounts import LIST_USERS, GetUser
from daebus import Bus


async def show(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy attr-defined: "AsyncGenerator[User, None]" has no attribute "__iter__" (not iterable)
    # ! pyrefly not-iterable
    # ! pyright reportGeneralTypeIssues: "AsyncGenerator[User, None]" is not iterable
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty not-iterable
    # ! zuban attr-defined
    for user in bus.stream(LIST_USERS, query):
        # ! pyright strict reportUnknownArgumentType: Argument type is unknown
        print(user)
    # right
    async for user in bus.stream(LIST_USERS, query):
        print(user.name)
