"""The actions that other services call, and the events that they listen to."""

from daebus import BlockingBus, BlockingClients, Blueprint, Logger
from daebus.errors import NotFound
from my_app.container import Container
from my_app.contracts import (
    ADD_NOTE,
    GET_NOTE,
    LIST_NOTES,
    NOTE_ADDED,
    NOTE_EVENTS,
    REMOVE_NOTE,
    NewNote,
    Note,
    NoteAdded,
    NoteId,
    NoteList,
    NoteRemoved,
)
from my_app.utils.db import Notes

actions = Blueprint("actions", services=Container)


@actions.action(ADD_NOTE)
def add_note(data: NewNote, *, notes: Notes, blocking_bus: BlockingBus, blocking_clients: BlockingClients) -> Note:
    note = notes.add(data.text)
    blocking_bus.publish(NOTE_EVENTS, NoteAdded(note))
    blocking_clients.broadcast(NOTE_ADDED, note)
    return note


@actions.action(GET_NOTE)
def get_note(query: NoteId, *, notes: Notes) -> Note:
    note = notes.find(query.id)
    if note is None:
        raise NotFound(f"Note {query.id} not found")
    return note


@actions.action(LIST_NOTES)
def list_notes(*, notes: Notes) -> NoteList:
    return NoteList(notes.all())


@actions.action(REMOVE_NOTE)
def remove_note(query: NoteId, *, notes: Notes, blocking_bus: BlockingBus) -> None:
    if not notes.remove(query.id):
        raise NotFound(f"Note {query.id} not found")
    blocking_bus.publish(NOTE_EVENTS, NoteRemoved(query.id))


@actions.listen(NOTE_EVENTS)
def on_note_event(event: NoteAdded | NoteRemoved, *, logger: Logger) -> None:
    match event:
        case NoteAdded(note):
            logger.info("note was added", note=note.id)
        case NoteRemoved(note_id):
            logger.info("note was removed", note=note_id)
