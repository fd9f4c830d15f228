"""The service with rooms that is broken on purpose."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from daebus import Client, Daebus, DaebusHttp, DaebusWebSocket, Message, Room, Rooms

__all__ = ["PAGE", "ROOM", "SAID", "Say", "app"]

PAGE = "x-page"
"""The header of the handshake with what the members see of a page."""


class Say(msgspec.Struct):
    room: int
    number: int


ROOM = Room[str]("chaos:{number}", history=10_000, keep=timedelta(hours=1))
SAID = Message[int]("said")

app = Daebus("chaos_rooms")
app.attach(DaebusHttp(port=0, host="127.0.0.1"))
app.attach(DaebusWebSocket())


@app.socket_join(ROOM)
async def join(number: int, client: Client) -> str:
    return client.headers[PAGE]


@app.socket("say")
async def say(said: Say, *, rooms: Rooms) -> None:
    await rooms.send(ROOM(number=said.room), SAID, said.number)
