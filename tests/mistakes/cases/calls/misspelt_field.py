"""A field that the reply does not have."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def name_of(bus: Bus, query: GetUser) -> str:
    user = await bus.call(GET_USER, query)
    # wrong
    # ! mypy attr-defined: "User" has no attribute "nmae"
    # ! mypy no-any-return: Returning Any from function declared to return "str"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "nmae" for class "User"
    # ! pyright reportUnknownMemberType: Type of "nmae" is unknown
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty missing-attribute
    # ! ty unsound-return
    # ! zuban attr-defined
    # ! zuban no-any-return
    return user.nmae
    # right
    return user.name
