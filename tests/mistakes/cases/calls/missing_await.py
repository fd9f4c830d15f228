"""A forgotten `await` before a call."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def name_of(bus: Bus, query: GetUser) -> str:
    # wrong
    user = bus.call(GET_USER, query)
    # right
    user = await bus.call(GET_USER, query)
    # both
    # ! mypy attr-defined: "Coroutine[Any, Any, User]" has no attribute "name"
    # ! mypy no-any-return: Returning Any from function declared to return "str"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "name" for class "CoroutineType[Any, Any, User]"
    # ! pyright reportUnknownMemberType: Type of "name" is unknown
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty missing-attribute
    # ! ty unsound-return
    # ! zuban attr-defined
    # ! zuban no-any-return
    return user.name
