"""A reply that may be None, used without a check for None."""

from accounts import FIND_USER, GetUser
from daebus import Bus


async def name_of(bus: Bus, query: GetUser) -> str:
    user = await bus.call(FIND_USER, query)
    # wrong
    # ! mypy union-attr: Item "None" of "User | None" has no attribute "name"
    # ! pyrefly missing-attribute
    # ! pyright reportOptionalMemberAccess: "name" is not a known attribute of "None"
    # ! ty missing-union-attribute
    # ! zuban union-attr
    return user.name
    # right
    return "nobody" if user is None else user.name
