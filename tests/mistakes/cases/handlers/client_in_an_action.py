"""An action that asks for the WebSocket client."""

from accounts import USER_ONLINE, User
from daebus import Blueprint, Client, Clients, Daebus

users = Blueprint("users")


# wrong
@users.action("online")
# ! mypy daebus-signature: online(client: Client): an action has no Client, only a socket handler has -> remove it
# ! registration wrong-part: online(client: Client): an action has no Client: only socket handlers have one; remove it; `clients: Clients` right of the * reaches every client by its id
async def online(user: User, client: Client) -> None:
    await client.send(USER_ONLINE, user)


# right
@users.action("online")
async def online(user: User, *, clients: Clients) -> None:
    await clients.broadcast(USER_ONLINE, user)


# both
app = Daebus("users")
app.register_blueprint(users)
