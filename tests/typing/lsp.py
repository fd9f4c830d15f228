"""An editor without a screen: it drives a real language server over LSP, with texts that it keeps in memory."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")

CARET = "‸"
SERVER = Path(sys.executable).with_name("basedpyright-langserver")
SETTINGS: Mapping[str, object] = {"python": {"pythonPath": sys.executable}}
CAPABILITIES = {
    "workspace": {"configuration": True, "workspaceFolders": True},
    "textDocument": {
        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
        "hover": {"contentFormat": ["markdown"]},
        "signatureHelp": {
            "signatureInformation": {
                "documentationFormat": ["plaintext"],
                "parameterInformation": {"labelOffsetSupport": True},
                "activeParameterSupport": True,
            }
        },
        "diagnostic": {},
    },
}


class _Failure(msgspec.Struct):
    message: str


class _Message(msgspec.Struct):
    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"null")
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Failure | None = None


class _Section(msgspec.Struct):
    section: str = ""


class _Sections(msgspec.Struct):
    items: list[_Section]


class Position(msgspec.Struct, frozen=True):
    line: int
    character: int


class Range(msgspec.Struct, frozen=True):
    start: Position
    end: Position


class Location(msgspec.Struct):
    uri: str
    range: Range


class Markup(msgspec.Struct):
    value: str


class Suggestion(msgspec.Struct):
    """One line of the list that pops up. `kind` is a number of the protocol: 5 is a field, 2 a method."""

    label: str
    kind: int = 0


class _Suggestions(msgspec.Struct):
    items: list[Suggestion]


class _Hover(msgspec.Struct):
    contents: Markup


class Parameter(msgspec.Struct):
    label: tuple[int, int]


class Signature(msgspec.Struct):
    label: str
    documentation: str | Markup = ""
    parameters: list[Parameter] = []
    activeParameter: int | None = None  # noqa: N815  # the protocol's name


class Signatures(msgspec.Struct):
    signatures: list[Signature]
    activeSignature: int = 0  # noqa: N815  # the protocol's name


class Diagnostic(msgspec.Struct):
    range: Range
    message: str
    code: str = ""


class _Diagnostics(msgspec.Struct):
    items: list[Diagnostic]


class Editor:
    """One session with the server."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._seconds = seconds
        self._buffer = bytearray()
        self._asked = 0
        self._versions: dict[Path, int] = {}

    def open(self, path: Path, text: str) -> Caret:
        """Show this text as the content of a file, which stays as it is. The caret is where `‸` stands."""
        before, _, after = text.partition(CARET)
        version = self._versions[path] = self._versions.get(path, 0) + 1
        document = {"uri": path.as_uri(), "version": version}
        content = {"text": before + after}
        if version == 1:
            self.notify("textDocument/didOpen", {"textDocument": {**document, "languageId": "python", **content}})
        else:
            self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [content]})
        line = before.rpartition("\n")[2]
        return Caret(self, path, Position(before.count("\n"), len(line.encode("utf-16-le")) // 2))

    def request(self, method: str, params: object, result: type[T]) -> T:
        """Ask the server."""
        self._asked += 1
        asked = self._asked
        self._write({"id": asked, "method": method, "params": params})
        while True:
            message = self._read()
            if message.method is not None and message.id is not None:
                self._write({"id": message.id, "result": self._answer(message)})
            elif message.id == asked:
                if message.error is not None:
                    raise RuntimeError(f"{method}: {message.error.message}")
                return msgspec.json.decode(message.result, type=result)

    def notify(self, method: str, params: object) -> None:
        """Tell the server."""
        self._write({"method": method, "params": params})

    def _answer(self, message: _Message) -> object:
        if message.method != "workspace/configuration":
            return None
        wanted = msgspec.json.decode(message.params, type=_Sections).items
        return [SETTINGS.get(item.section) for item in wanted]

    def _write(self, message: Mapping[str, object]) -> None:
        assert self._stdin is not None
        body = msgspec.json.encode({"jsonrpc": "2.0", **message})
        self._stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._stdin.flush()

    def _read(self) -> _Message:
        end = time.monotonic() + self._seconds
        header = self._take(self._find(b"\r\n\r\n", end), end)
        length = int(header.lower().partition(b"content-length:")[2].split()[0])
        return msgspec.json.decode(self._take(length, end), type=_Message)

    def _find(self, mark: bytes, end: float) -> int:
        while mark not in self._buffer:
            self._more(end)
        return self._buffer.index(mark) + len(mark)

    def _take(self, length: int, end: float) -> bytes:
        while len(self._buffer) < length:
            self._more(end)
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _more(self, end: float) -> None:
        assert self._stdout is not None
        ready, _, _ = select.select([self._stdout], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise TimeoutError(f"The language server said nothing for {self._seconds} s")
        read = os.read(self._stdout.fileno(), 1 << 16)
        if not read:
            raise EOFError("The language server ended")
        self._buffer += read


class Caret:
    """A place in a text, where a user may ask for help."""

    def __init__(self, editor: Editor, path: Path, position: Position) -> None:
        self._editor = editor
        self._document = {"textDocument": {"uri": path.as_uri()}}
        self._place = {**self._document, "position": position}

    def completion(self) -> list[Suggestion]:
        """The list that pops up."""
        found = self._editor.request("textDocument/completion", self._place, cast("type[_Suggestions | None]", _Suggestions | None))
        return [] if found is None else found.items

    def hover(self) -> str:
        found = self._editor.request("textDocument/hover", self._place, cast("type[_Hover | None]", _Hover | None))
        return "" if found is None else found.contents.value

    def definition(self) -> list[Location]:
        found = self._editor.request("textDocument/definition", self._place, cast("type[list[Location] | None]", list[Location] | None))
        return found or []

    def signatures(self) -> Signatures:
        return self._editor.request("textDocument/signatureHelp", self._place, Signatures)

    def diagnostics(self) -> list[Diagnostic]:
        return self._editor.request("textDocument/diagnostic", self._document, _Diagnostics).items


@contextmanager
def editing(root: Path, seconds: float = 30.0) -> Generator[Editor]:
    """Start a language server for the project in a folder, and end it."""
    # In a session of its own: the script starts the program as a child, and both must go.
    with subprocess.Popen(
        [SERVER, "--stdio"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            editor = Editor(process, seconds)
            folder = {"uri": root.as_uri(), "name": root.name}
            start = {"processId": os.getpid(), "rootUri": folder["uri"], "workspaceFolders": [folder]}
            editor.request("initialize", {**start, "capabilities": CAPABILITIES}, msgspec.Raw)
            editor.notify("initialized", {})
            yield editor
            editor.request("shutdown", None, msgspec.Raw)
            editor.notify("exit", None)
            process.wait(seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
