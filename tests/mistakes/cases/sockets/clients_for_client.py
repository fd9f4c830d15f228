"""`Clients` left of the `*`, instead of `Client`."""

from daebus import Blueprint, Client, Clients, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
@users.socket_connect()
# ! mypy daebus-signature: connect(client: Clients): the params cannot be decoded from a message into a Clients -> put a bare * before "client" if it is a service, or take a msgspec.Struct or a dataclass
# ! registration forgotten-star: connect(client: Clients): it is left of the *, where parameters come from the message, but it is a service; put a bare * before it, and name it 'clients': connect(*, clients: Clients)
async def connect(client: Clients) -> str:
    return str(client)


# right
@users.socket_connect()
async def connect(client: Client) -> str:
    return client.id


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
