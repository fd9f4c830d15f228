"""The text of files: as the editor has it, or else as it is on disk; and positions in it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from daebus.editing.edits import Edit
from daebus.editing.source import Source

from .uris import path_of, uri_of

__all__ = ["Texts"]

# Not `splitlines`, which also ends lines where neither editors nor Python do.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Texts:
    """The text of the files of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._uris: dict[str, str] = {}
        self._disk: dict[str, tuple[float, str]] = {}
        self._lines: dict[str, tuple[str, Sequence[str]]] = {}

    def opened(self, uri: str) -> None:
        """The editor has opened a document, under a URI that may be written in another way than ours."""
        self._uris[path_of(uri)] = uri

    def closed(self, uri: str) -> None:
        """The editor has closed a document."""
        self._uris.pop(path_of(uri), None)

    def is_saved(self, uri: str) -> bool:
        """Whether an open document has the text of its file."""
        return self.saved(path_of(uri)) == self.text(path_of(uri))

    def buffers(self) -> dict[str, str]:
        """The text of the documents that are open in the editor, by path."""
        return {path: self._workspace.get_text_document(uri).source for path, uri in self._uris.items()}

    def version(self, path: str) -> int | None:
        """The version of an open document."""
        document = self._document(path)
        return None if document is None else document.version

    def uri(self, path: str) -> str:
        """The URI of a file, as the editor writes it."""
        return self._uris.get(path) or uri_of(path)

    def text(self, path: str) -> str:
        """The text of a file; empty if it cannot be read."""
        document = self._document(path)
        return self.saved(path) if document is None else document.source

    def saved(self, path: str) -> str:
        """The text of a file as it is on disk; empty if it cannot be read."""
        try:
            changed = os.stat(path).st_mtime
            known = self._disk.get(path)
            if known is None or known[0] != changed:
                known = self._disk[path] = (changed, Path(path).read_text())
        except (OSError, ValueError):
            return ""
        return known[1]

    def lines(self, path: str) -> Sequence[str]:
        """The lines of a file, with their ends."""
        text, known = self.text(path), self._lines.get(path)
        if known is None or known[0] != text:  # it is asked for each token of a file
            known = self._lines[path] = text, _LINE.findall(text)
        return known[1]

    def range(self, path: str, start: tuple[int, int], end: tuple[int, int]) -> types.Range:
        """A range for the editor from positions in characters: line and column, both from 0."""
        lines = self.lines(path)
        return types.Range(self._client(lines, start), self._client(lines, end))

    def edit(self, page: Source, edit: Edit) -> types.TextEdit:
        """An edit for the editor.

        Args:
            page: The text of the file that it changes.
            edit: The edit.
        """
        return types.TextEdit(self.range(edit.path, page.place(edit.start), page.place(edit.end)), edit.text)

    def position(self, path: str, at: types.Position) -> tuple[int, int]:
        """A position of the editor in characters: line and column, both from 0."""
        found = self._workspace.position_codec.position_from_client_units(self.lines(path), at)
        return found.line, found.character

    def _client(self, lines: Sequence[str], at: tuple[int, int]) -> types.Position:
        line, column = at
        before = lines[line][:column] if line < len(lines) else ""
        return types.Position(line, self._workspace.position_codec.client_num_units(before))

    def _document(self, path: str) -> TextDocument | None:
        uri = self._uris.get(path)
        return None if uri is None else self._workspace.get_text_document(uri)
