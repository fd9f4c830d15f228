"""The reply to a request that was sent with `bus.send`, which has none."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def ask(bus: Bus) -> None:
    # wrong
    # ! mypy func-returns-value: Function does not return a value (it only ever returns None)
    # ! zuban func-returns-value
    user = await bus.send(GET_USER, GetUser("1"))
    # ! mypy attr-defined: "None" has no attribute "name"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "name" for class "None"
    # ! pyright reportUnknownArgumentType: Argument type is unknown
    # ! pyright reportUnknownMemberType: Type of "name" is unknown
    # ! ty missing-attribute
    # ! zuban attr-defined
    print(user.name)
    # right
    user = await bus.call(GET_USER, GetUser("1"))
    print(user.name)
