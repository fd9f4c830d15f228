"""Data of another type than the message to WebSocket clients has."""

from daebus import Client
from shop import USER_ONLINE, User


async def greet(client: Client, user: User) -> None:
    # wrong
    # ! mypy misc: Cannot infer value of type parameter "D" of "send" of "Client"
    # ! pyright reportArgumentType: Argument of type "str" cannot be assigned to parameter "data" of type "D@send" in function "send"
    await client.send(USER_ONLINE, user.name)
    # right
    await client.send(USER_ONLINE, user)
