"""An editor for tests: it starts the language server as a process, opens and edits files, and waits for diagnostics."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from tests.support import until

PATIENCE = 60.0


class Editor:
    """An editor with one workspace."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.told: dict[str, list[list[types.Diagnostic]]] = {}
        self.refreshed = 0
        self._texts: dict[str, str] = {}
        self._versions: dict[str, int] = {}

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def at(self, name: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri(name))

    def open(self, name: str, text: str | None = None) -> None:
        """Open a file; with a text, as one that was not saved."""
        text = self._texts[name] = (self.folder / name).read_text() if text is None else text
        self._versions[name] = 0
        item = types.TextDocumentItem(self.uri(name), "python", 0, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, name: str, text: str) -> None:
        """Replace the text of an open file, without saving it."""
        self._change(name, text, types.TextDocumentContentChangeWholeDocument(text))

    def change(self, name: str, text: str, where: types.Range, piece: str) -> None:
        """Type a piece over a range of an open file, whose text then is as given."""
        self._change(name, text, types.TextDocumentContentChangePartial(where, piece))

    def _change(self, name: str, text: str, change: types.TextDocumentContentChangeEvent) -> None:
        self._texts[name] = text
        self._versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(self._versions[name], self.uri(name))
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def replace(self, name: str, old: str, new: str) -> None:
        """Type over a piece of an open file."""
        assert self._texts[name].count(old) == 1, old
        self.type(name, self._texts[name].replace(old, new))

    def save(self, name: str) -> None:
        (self.folder / name).write_text(self._texts[name])
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(self.at(name)))

    def close(self, name: str) -> None:
        """Close a file, without saving it."""
        del self._texts[name]
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(self.at(name)))

    def rename(self, old: str, new: str) -> None:
        """Rename an open file, whose unsaved text stays."""
        text = self._texts[old]
        self.close(old)
        (self.folder / old).rename(self.folder / new)
        self.open(new, text)
        self.changed_on_disk((old, types.FileChangeType.Deleted), (new, types.FileChangeType.Created))

    def changed_on_disk(self, *changes: tuple[str, types.FileChangeType]) -> None:
        """Tell the server what a program other than the editor has done with files."""
        events = [types.FileEvent(self.uri(name), kind) for name, kind in changes]
        self.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(events))

    def is_open(self, name: str) -> bool:
        return name in self._texts

    def opened(self) -> dict[str, str]:
        """The text of the open files."""
        return dict(self._texts)

    def text(self, name: str) -> str:
        return self._texts[name] if name in self._texts else (self.folder / name).read_text()

    def find(self, name: str, piece: str) -> types.Position:
        """The position of a piece of a file; the last ``|`` in it is the cursor, else its beginning."""
        front, _, back = piece.rpartition("|")
        offset = self.text(name).index(front + back) + len(front)
        before = self.text(name)[:offset]
        return types.Position(before.count("\n"), len(before) - before.rfind("\n") - 1)

    def piece(self, name: str, where: types.Range) -> str:
        """The text of a range, which must be within a line."""
        assert where.start.line == where.end.line
        line = self.text(name).splitlines()[where.start.line]
        return line[where.start.character : where.end.character]

    def diagnostics(self, name: str) -> list[types.Diagnostic]:
        return self.told.get(self.uri(name), [[]])[-1]

    def shown(self) -> dict[str, list[types.Diagnostic]]:
        """The diagnostics of all files that have some."""
        return {uri: sorted(last, key=repr) for uri, told in self.told.items() if (last := told[-1])}

    def codes(self, name: str) -> list[object]:
        return [diagnostic.code for diagnostic in self.diagnostics(name)]

    async def until_codes(self, name: str, *codes: str) -> None:
        """Wait until a file has just these diagnostics."""
        await until(lambda: self.codes(name) == [*codes], PATIENCE)

    async def until_message(self, name: str, part: str) -> types.Diagnostic:
        """Wait until a file has just one diagnostic, whose message has this part."""
        await until(lambda: [part in one.message for one in self.diagnostics(name)] == [True], PATIENCE)
        return self.diagnostics(name)[0]

    def applied(self, edit: types.WorkspaceEdit) -> dict[str, str]:
        """The text of each file after an edit of the workspace, by name."""
        assert edit.changes is not None
        found: dict[str, str] = {}
        for uri, edits in edit.changes.items():
            name = str(Path(uri.removeprefix("file://")).relative_to(self.folder))
            found[name] = apply(self.text(name), edits)
        return found


def apply(text: str, edits: Sequence[types.TextEdit]) -> str:
    """The text after some edits."""
    lines = text.split("\n")

    def offset(at: types.Position) -> int:
        line = lines[at.line].encode("utf-16-le")[: at.character * 2].decode("utf-16-le")
        return sum(len(one) + 1 for one in lines[: at.line]) + len(line)

    for edit in sorted(edits, key=lambda one: offset(one.range.start), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


@asynccontextmanager
async def editing(
    folder: Path, *, cache: Path | None = None, initialized: bool = True, **options: object
) -> AsyncGenerator[Editor]:
    """An editor whose workspace is a folder.

    Args:
        folder: The folder.
        cache: What the server remembers of earlier sessions, else nothing.
        initialized: Whether the editor has already told the server that it was initialized.
        options: The initialization options.
    """
    client = LanguageClient("test", "1")
    editor = Editor(client, folder)

    def told(params: types.PublishDiagnosticsParams) -> None:
        editor.told.setdefault(params.uri, []).append(list(params.diagnostics))

    def refreshed(_: None) -> None:
        editor.refreshed += 1

    client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(told)
    client.feature(types.WORKSPACE_CODE_LENS_REFRESH)(refreshed)
    command = (sys.executable, "-m", "daebus", "lsp")
    kept = tempfile.TemporaryDirectory()
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache or kept.name)}
    await client.start_io(*command, env=environment)  # pyright: ignore[reportUnknownMemberType]
    try:
        workspace = types.WorkspaceFolder(folder.as_uri(), folder.name)
        params = types.InitializeParams(
            capabilities=types.ClientCapabilities(
                workspace=types.WorkspaceClientCapabilities(
                    code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True)
                )
            ),
            workspace_folders=[workspace],
            initialization_options=options,
        )
        await client.initialize_async(params)
        if initialized:
            client.initialized(types.InitializedParams())
        yield editor
    finally:
        if not client.stopped:
            await asyncio.wait_for(client.shutdown_async(None), PATIENCE)
            client.exit(None)
        kept.cleanup()
        await asyncio.wait_for(client.stop(), PATIENCE)  # type: ignore[no-untyped-call]
