"""An event that the channel does not carry."""

from accounts import USER_EVENTS, Created, User
from daebus import Bus


async def announce(bus: Bus, user: User) -> None:
    # wrong
    # ! mypy arg-type: Argument 2 to "publish" of "Bus" has incompatible type "User"; expected "Created | Deleted"
    # ! pyright reportArgumentType: Argument of type "User" cannot be assigned to parameter "event" of type "Event@publish" in function "publish"
    await bus.publish(USER_EVENTS, user)
    # right
    await bus.publish(USER_EVENTS, Created(user.id))
