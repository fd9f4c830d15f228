"""The `WebSocket` of Litestar, as in FastAPI, instead of the client."""

from typing import Any

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket
from litestar import WebSocket

users = Blueprint("users")


# wrong
@users.socket("echo")
# ! mypy daebus-signature: echo(socket: WebSocket[Any, Any, Any]): a socket handler takes one data, and "data" is already the payload -> put a bare * before "socket", or annotate it as Client
# ! registration second-payload: echo(socket: WebSocket[Any, Any, Any]): a socket handler takes one payload, and 'data' is already the payload; put a bare * before 'socket' if it is a service, or make one msgspec.Struct of both, or annotate it as Client
async def echo(data: str, socket: WebSocket[Any, Any, Any]) -> None:
    await socket.send_text(data)


# right
@users.socket("echo")
async def echo(data: str, client: Client) -> str:
    return data + client.id


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
