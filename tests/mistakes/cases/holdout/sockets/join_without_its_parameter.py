"""A join handler whose parameter has another name than in the room."""

from accounts import Container
from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Room

TABLE = Room[None]("table:{table}")

users = Blueprint("users", services=Container)


@users.socket_join(TABLE)
# wrong
# ! mypy daebus-signature: sit_down(name: str): a join handler gets only table from the name of the room -> put a bare * before "name"
# ! registration unexpected-payload: sit_down(name: str): a join handler gets only 'table' from the name of the room; put a bare * before 'name' if it is a service, or annotate it as Client, or remove it
async def sit_down(name: str, client: Client) -> None:
    print(name, client.id)


# right
async def sit_down(table: str, client: Client) -> None:
    print(table, client.id)


# both


app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
