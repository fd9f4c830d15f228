"""An event that the channel does not carry."""

from daebus import Bus
from shop import USER_EVENTS, Created, User


async def announce(bus: Bus, user: User) -> None:
    # wrong
    # ! mypy misc: Cannot infer value of type parameter "Event" of "publish" of "Bus"
    # ! pyright reportArgumentType: Argument of type "User" cannot be assigned to parameter "event" of type "Event@publish" in function "publish"
    await bus.publish(USER_EVENTS, user)
    # right
    await bus.publish(USER_EVENTS, Created(user.id))
