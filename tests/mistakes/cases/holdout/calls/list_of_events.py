"""Several events in one `bus.publish`."""

from accounts import USER_EVENTS, Created
from daebus import Bus


async def announce(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: Argument 2 to "publish" of "Bus" has incompatible type "list[Created]"; expected "Created | Deleted"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Channel[Created | Deleted]" cannot be assigned to parameter "channel" of type "Channel[Event@publish]" in function "publish"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await bus.publish(USER_EVENTS, [Created("1"), Created("2")])
    # right
    for number in ("1", "2"):
        await bus.publish(USER_EVENTS, Created(number))
