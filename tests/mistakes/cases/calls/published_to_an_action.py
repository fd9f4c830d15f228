"""An event that is published to an action instead of a channel."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def refresh(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy arg-type: GET_USER: it is an Action, and this takes a Channel -> use call(...), or send(...) if no reply is needed
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Action[GetUser, User]" cannot be assigned to parameter "channel" of type "Channel[Event@publish]" in function "publish"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await bus.publish(GET_USER, query)
    # right
    await bus.send(GET_USER, query)
