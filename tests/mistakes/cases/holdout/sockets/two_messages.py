"""Two messages in one handler of a socket."""

from accounts import GetUser, User
from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


@users.socket("get_user")
# wrong
# ! mypy daebus-signature: get_user(more: GetUser): a socket handler takes one data, and "data" is already the payload -> put a bare * before "more" if it is a service, or make one msgspec.Struct of both, or annotate it as Client
# ! registration second-payload: get_user(more: GetUser): a socket handler takes one payload, and 'data' is already the payload; put a bare * before 'more' if it is a service, or make one msgspec.Struct of both, or annotate it as Client
async def get_user(client: Client, data: GetUser, more: GetUser) -> User:
    return User(data.id, client.id + more.id)


# right
async def get_user(client: Client, data: GetUser) -> User:
    return User(data.id, client.id)


# both


app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
