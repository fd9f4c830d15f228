"""A disconnect handler that takes data, although nobody sends any."""

from accounts import User
from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
@users.socket_disconnect()
# ! mypy daebus-signature: leave(user: User): a disconnect handler gets no such value from the message -> put a bare * before "user" if it is a service, or annotate it as Client
# ! registration unexpected-payload: leave(user: User): a disconnect handler gets no such value from the message; put a bare * before 'user' if it is a service, or annotate it as Client, or remove it
async def leave(user: User, client: Client) -> None:
    print(user, client.id)


# right
@users.socket_disconnect()
async def leave(client: Client) -> None:
    print(client.id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
