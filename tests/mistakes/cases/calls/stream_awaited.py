"""`await` before a stream, instead of `async for`."""

from accounts import LIST_USERS, GetUser
from daebus import Bus


async def show(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy misc: Incompatible types in "await" (actual type "AsyncGenerator[User, None]", expected type "Awaitable[Any]")
    # ! pyrefly not-async
    # ! pyright reportGeneralTypeIssues: "AsyncGenerator[User, None]" is not awaitable
    # ! pyright reportUnknownVariableType: Type of "users" is unknown
    # ! ty invalid-await
    # ! zuban misc
    users = await bus.stream(LIST_USERS, query)
    # right
    users = [user async for user in bus.stream(LIST_USERS, query)]
    # both
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    print(users)
