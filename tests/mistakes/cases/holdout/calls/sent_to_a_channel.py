"""An event that is sent to a channel, instead of published."""

from accounts import USER_EVENTS, Created
from daebus import Bus


async def tell(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: USER_EVENTS: it is a Channel, and this takes an Action -> use publish(...)
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Channel[Created | Deleted]" cannot be assigned to parameter "action" of type "Action[In@send, Encodable]" in function "send"
    # ! pyright reportCallIssue: No overloads for "send" match the provided arguments
    # ! ty no-matching-overload
    # ! zuban call-overload
    await bus.send(USER_EVENTS, Created("u1"))
    # right
    await bus.publish(USER_EVENTS, Created("u1"))
