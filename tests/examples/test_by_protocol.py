"""The notes service, whose handlers are all ``def``, run as its users run it."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from my_app.contracts import ADD_NOTE, GET_NOTE, LIST_NOTES, REMOVE_NOTE, NewNote, NoteId
from tests.processes import EXAMPLES, Service, serving
from websockets.asyncio.client import ClientConnection, connect

from daebus import Action, Bus
from daebus.errors import BadRequest, NotFound


@pytest.fixture(scope="module")
def notes(redis_url: str) -> Generator[Service]:
    with serving("my_app.app:app", redis_url=redis_url, cwd=EXAMPLES / "by_protocol") as service:
        yield service
        assert service.stop() == 0
        assert service.lines("note store closing")
        assert service.problems() == []


async def receive(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def test_api(notes: Service) -> None:
    async with httpx.AsyncClient(base_url=notes.url) as http:
        added = await http.post("/api/notes", json={"text": "milk"})
        assert added.status_code == 201
        note = added.json()

        assert (await http.get(f"/api/notes/{note['id']}")).json() == note
        assert note in (await http.get("/api/notes")).json()["notes"]
        removed = await http.delete(f"/api/notes/{note['id']}")
        assert (removed.status_code, removed.content) == (204, b"")
        assert (await http.delete(f"/api/notes/{note['id']}")).status_code == 404
        assert (await http.get("/api/notes/milk")).status_code in (400, 404)
        assert (await http.post("/api/notes", json={"text": ""})).status_code == 400
    await notes.logged("note was removed", note=note["id"])


async def test_actions(notes: Service, bus: Bus) -> None:
    note = await bus.call(ADD_NOTE, NewNote("bread"))

    assert await bus.call(GET_NOTE, NoteId(note.id)) == note
    assert note in (await bus.call(LIST_NOTES)).notes
    await notes.logged("note was added", note=note.id)
    await bus.call(REMOVE_NOTE, NoteId(note.id))
    with pytest.raises(NotFound, match=f"Note {note.id} not found"):
        await bus.call(GET_NOTE, NoteId(note.id))
    with pytest.raises(BadRequest, match="id"):
        await bus.call(Action[Any, Any]("get_note", service="notes"), {"id": "bread"})


async def test_websocket(notes: Service) -> None:
    async with connect(notes.sockets()) as socket:
        assert (await receive(socket))["data"] == {"status": "connected"}
        await socket.send('{"type": "register", "data": {"name": "Ada"}}')
        assert (await receive(socket))["data"] == {"status": "registered as Ada"}

        await socket.send('{"type": "add_note", "data": {"text": "butter"}, "id": 1}')
        messages = [await receive(socket), await receive(socket)]
        answer, told = sorted(messages, key=lambda message: message["type"] == "note_added")

        assert (answer["type"], answer["id"], answer["data"]["text"]) == ("response", 1, "Ada: butter")
        assert (told["type"], told["data"]) == ("note_added", answer["data"])
        await socket.send('{"type": "list_notes"}')
        assert answer["data"] in (await receive(socket))["data"]["notes"]
    await notes.logged("client disconnected")


async def test_thread(notes: Service) -> None:
    await notes.logged("note store ready", notes=0)
