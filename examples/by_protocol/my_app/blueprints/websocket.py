"""WebSocket clients."""

import msgspec

from daebus import BlockingBus, Blueprint, Client, Logger
from my_app.container import Container
from my_app.contracts import ADD_NOTE, NewNote, Note, NoteList
from my_app.utils.db import Notes

websocket = Blueprint("websocket", services=Container)


class Introduction(msgspec.Struct):
    name: str


class Status(msgspec.Struct):
    status: str


@websocket.socket_connect()
def on_connect(client: Client, *, logger: Logger) -> Status:
    logger.info("client connected", client=client.id)
    return Status("connected")


@websocket.socket_register()
def on_register(data: Introduction, client: Client) -> Status:
    client.state[Introduction] = data
    return Status(f"registered as {data.name}")


@websocket.socket("list_notes")
def ws_list_notes(data: None, client: Client, *, notes: Notes) -> NoteList:
    return NoteList(notes.all())


@websocket.socket("add_note")
def ws_add_note(data: NewNote, client: Client, *, blocking_bus: BlockingBus) -> Note:
    author = client.state.get(Introduction)
    return blocking_bus.call(ADD_NOTE, data if author is None else NewNote(f"{author.name}: {data.text}"))


@websocket.socket_disconnect()
def on_disconnect(client: Client, *, logger: Logger) -> None:
    logger.info("client disconnected", client=client.id)
