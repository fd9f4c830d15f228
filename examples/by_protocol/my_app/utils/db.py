"""The notes, in SQLite: a library that blocks, and therefore handlers that are ``def``."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import cast

from my_app.contracts import Note

_Row = tuple[int, str, str]


def open_database(path: str) -> Iterator[sqlite3.Connection]:
    """Opened when the service starts, closed when it stops."""
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT, written_at TEXT)")
        yield connection


class Notes:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._lock = threading.Lock()  # several handlers run at once, each in a thread of its own

    def add(self, text: str) -> Note:
        now = datetime.now(UTC)
        added = self._change("INSERT INTO notes (text, written_at) VALUES (?, ?)", text, now.isoformat())
        return Note(id=added.lastrowid or 0, text=text, written_at=now)

    def find(self, note_id: int) -> Note | None:
        found = self._select("SELECT id, text, written_at FROM notes WHERE id = ?", note_id)
        return found[0] if found else None

    def all(self) -> list[Note]:
        return self._select("SELECT id, text, written_at FROM notes ORDER BY id")

    def remove(self, note_id: int) -> bool:
        return self._change("DELETE FROM notes WHERE id = ?", note_id).rowcount > 0

    def remove_before(self, moment: datetime) -> int:
        return self._change("DELETE FROM notes WHERE written_at < ?", moment.isoformat()).rowcount

    def _select(self, query: str, *values: int | str) -> list[Note]:
        with self._lock:
            rows = cast("list[_Row]", self._db.execute(query, values).fetchall())
        return [Note(note_id, text, datetime.fromisoformat(written)) for note_id, text, written in rows]

    def _change(self, query: str, *values: int | str) -> sqlite3.Cursor:
        with self._lock:
            return self._db.execute(query, values)
