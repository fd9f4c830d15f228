"""The parameter of a room in angle brackets, as in the path of a route."""

from accounts import Container
from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Room

# wrong
TABLE = Room[None]("table:<table>")
# right
TABLE = Room[None]("table:{table}")
# both

users = Blueprint("users", services=Container)


@users.socket_join(TABLE)
# ! mypy daebus-signature: sit_down(table: str): a join handler gets no values from the name of the room -> put a bare * before "table"
# ! registration unexpected-payload: sit_down(table: str): a join handler gets no values from the name of the room; put a bare * before 'table' if it is a service, or annotate it as Client, or remove it
async def sit_down(table: str, client: Client) -> None:
    print(table, client.id)


app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
