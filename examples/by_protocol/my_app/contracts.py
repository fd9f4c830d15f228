"""The messages of this service, and the contracts that name them."""

from datetime import datetime
from typing import Annotated

import msgspec

from daebus import Action, Channel, Message


class NewNote(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Note(msgspec.Struct):
    id: int
    text: str
    written_at: datetime


class NoteId(msgspec.Struct):
    id: int


class NoteList(msgspec.Struct):
    notes: list[Note]


class NoteAdded(msgspec.Struct, tag="note_added"):
    note: Note


class NoteRemoved(msgspec.Struct, tag="note_removed"):
    id: int


ADD_NOTE = Action[NewNote, Note]("add_note", service="notes")
GET_NOTE = Action[NoteId, Note]("get_note", service="notes")
LIST_NOTES = Action[None, NoteList]("list_notes", service="notes")
REMOVE_NOTE = Action[NoteId, None]("remove_note", service="notes")

NOTE_EVENTS = Channel[NoteAdded | NoteRemoved]("note_events")

NOTE_ADDED = Message[Note]("note_added")
