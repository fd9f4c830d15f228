"""A message to WebSocket clients with a name instead of a contract, so that no type is known."""

from accounts import USER_ONLINE, User
from daebus import Clients


async def announce(clients: Clients, user: User) -> None:
    # wrong
    # ! mypy arg-type: "user_online": this takes a Message, which has the types -> make one: Message[ItsType]("the_name")
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Literal['user_online']" cannot be assigned to parameter "message" of type "Message[D@broadcast]" in function "broadcast"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await clients.broadcast("user_online", user)
    # right
    await clients.broadcast(USER_ONLINE, user)
