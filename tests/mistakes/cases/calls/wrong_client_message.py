"""A message to WebSocket clients with data of another type than its contract."""

from accounts import USER_ONLINE, User
from daebus import Client


async def greet(client: Client, user: User) -> None:
    # wrong
    # ! mypy arg-type: Argument 2 to "send" of "Client" has incompatible type "str"; expected "User"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Message[User]" cannot be assigned to parameter "message" of type "Message[D@send]" in function "send"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await client.send(USER_ONLINE, user.name)
    # right
    await client.send(USER_ONLINE, user)
