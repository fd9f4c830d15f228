"""A message for WebSocket clients that is published on the bus."""

from accounts import USER_ONLINE, User
from daebus import Bus, Clients


async def ask(bus: Bus, clients: Clients) -> None:
    # wrong
    # ! mypy arg-type: USER_ONLINE: it is a Message, and this takes a Channel -> use send(...) of a client, or broadcast(...) of the clients
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Message[User]" cannot be assigned to parameter "channel" of type "Channel[Event@publish]" in function "publish"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await bus.publish(USER_ONLINE, User("1"))
    # right
    await clients.broadcast(USER_ONLINE, User("1"))
