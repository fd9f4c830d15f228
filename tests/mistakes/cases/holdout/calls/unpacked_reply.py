"""A reply that is a struct, unpacked like a tuple."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def ask(bus: Bus) -> None:
    # wrong
    # ! mypy misc: "User" object is not iterable
    # ! pyrefly not-iterable
    # ! pyright reportGeneralTypeIssues: "User" is not iterable
    # ! pyright reportUnknownVariableType: Type of "id" is unknown
    # ! pyright reportUnknownVariableType: Type of "name" is unknown
    # ! ty not-iterable
    # ! zuban misc
    id, name = await bus.call(GET_USER, GetUser("1"))
    # ! mypy has-type: Cannot determine type of "id"
    # ! mypy has-type: Cannot determine type of "name"
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    print(id, name)
    # right
    user = await bus.call(GET_USER, GetUser("1"))
    print(user.id, user.name)
