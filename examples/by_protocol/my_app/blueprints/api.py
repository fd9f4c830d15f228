"""The HTTP API. Its routes ask the service's own actions, as any other service would."""

from daebus import BlockingBus, Blueprint
from my_app.blueprints.actions import get_note, list_notes
from my_app.container import Container
from my_app.contracts import ADD_NOTE, REMOVE_NOTE, NewNote, Note, NoteId, NoteList
from my_app.utils.db import Notes

api = Blueprint("api", services=Container, prefix="/api/notes")


@api.route("/")
def http_list_notes(*, notes: Notes) -> NoteList:
    return list_notes(notes=notes)


@api.route("/<note_id>")
def http_get_note(note_id: int, *, notes: Notes) -> Note:
    return get_note(NoteId(note_id), notes=notes)


@api.route("/", methods=["POST"], status_code=201)
def http_add_note(data: NewNote, *, blocking_bus: BlockingBus) -> Note:
    return blocking_bus.call(ADD_NOTE, data)


@api.route("/<note_id>", methods=["DELETE"])
def http_remove_note(note_id: int, *, blocking_bus: BlockingBus) -> None:
    blocking_bus.call(REMOVE_NOTE, NoteId(note_id))
