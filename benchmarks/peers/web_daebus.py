"""daebus: ``python web_daebus.py PORT``; ``DAEBUS_REDIS_URL`` names the server."""

import sys

import msgspec
from dependency_injector import providers
from web_shapes import Audit, NewUser, Text, User, Users

from daebus import Blueprint, Clients, Daebus, DaebusHttp, DaebusWebSocket, Message, Room, Rooms, ServiceContainer

NOTE = Message[Text]("note")
ALL = Room[None]("all")


class Container(ServiceContainer):
    users = providers.Singleton(Users)
    audit = providers.Singleton(Audit)


web = Blueprint("web", services=Container)


@web.route("/users/<user_id>")
async def get_user(user_id: str, *, users: Users, audit: Audit) -> User:
    audit.note()
    return users.find(user_id)


@web.route("/users", methods=["POST"], status_code=201)
async def add_user(data: NewUser, *, users: Users, audit: Audit) -> User:
    audit.note()
    return users.add(data)


class FindUser(msgspec.Struct):
    user_id: str


@web.action("find_user", http="GET /door/users/<user_id>")
async def find_user(query: FindUser, *, users: Users, audit: Audit) -> User:
    audit.note()
    return users.find(query.user_id)


@web.socket("echo")
async def echo(data: Text) -> Text:
    return data


@web.socket("broadcast")
async def broadcast(data: Text, *, clients: Clients) -> None:
    await clients.broadcast(NOTE, data)


@web.socket_join(ALL)
async def join() -> None: ...


@web.socket("tell")
async def tell(data: Text, *, rooms: Rooms) -> None:
    await rooms.send(ALL(), NOTE, data)


app = Daebus("web", container=Container())
app.attach(DaebusHttp(port=int(sys.argv[1]), host="127.0.0.1"))
app.attach(DaebusWebSocket())
app.register_blueprint(web)
app.run()
