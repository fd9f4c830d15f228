"""An event that is published without its channel."""

from accounts import USER_EVENTS, Created
from daebus import Bus


async def ask(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: Created: this takes a Channel, which has the types -> make one: Channel[ItsType]("the_name")
    # ! pyrefly bad-argument-type
    # ! pyrefly missing-argument
    # ! pyright reportCallIssue: Argument missing for parameter "event"
    # ! ty invalid-argument-type
    # ! ty missing-argument
    # ! zuban arg-type
    # ! zuban call-arg
    await bus.publish(Created("1"))
    # right
    await bus.publish(USER_EVENTS, Created("1"))
