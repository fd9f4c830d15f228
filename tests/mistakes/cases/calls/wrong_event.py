"""An event that the channel does not carry."""

from accounts import USER_EVENTS, Created, User
from daebus import Bus


async def announce(bus: Bus, user: User) -> None:
    # wrong
    # ! mypy arg-type: Argument 2 to "publish" of "Bus" has incompatible type "User"; expected "Created | Deleted"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Channel[Created | Deleted]" cannot be assigned to parameter "channel" of type "Channel[Event@publish]" in function "publish"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await bus.publish(USER_EVENTS, user)
    # right
    await bus.publish(USER_EVENTS, Created(user.id))
