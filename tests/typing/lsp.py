"""An editor without a screen: it asks a real language server, over LSP, about texts that it keeps in memory."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

__all__ = ["CARET", "SERVERS", "Caret", "Diagnostic", "Editor", "Help", "Location", "editing"]

T = TypeVar("T")

CARET = "‸"
BIN = Path(sys.executable).parent
SERVERS: Mapping[str, Sequence[str]] = {
    "basedpyright": ("basedpyright-langserver", "--stdio"),
    "ty": ("ty", "server"),
    "pyrefly": ("pyrefly", "lsp"),
}
SETTINGS: Mapping[str, object] = {"python": {"pythonPath": sys.executable}}
CAPABILITIES = {
    "workspace": {"configuration": True, "workspaceFolders": True},
    "textDocument": {
        "diagnostic": {},
        "hover": {"contentFormat": ["plaintext"]},
        "signatureHelp": {
            "signatureInformation": {
                "documentationFormat": ["plaintext"],
                "parameterInformation": {"labelOffsetSupport": True},
                "activeParameterSupport": True,
            }
        },
    },
}


# What the protocol sends, as far as the tests look at it.


class Failure(msgspec.Struct):
    message: str


class Message(msgspec.Struct):
    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"null")
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None


class Section(msgspec.Struct):
    section: str = ""


class Sections(msgspec.Struct):
    items: list[Section]


class Position(msgspec.Struct):
    line: int
    character: int


class Range(msgspec.Struct):
    start: Position
    end: Position


class Location(msgspec.Struct):
    uri: str
    range: Range


class Suggestion(msgspec.Struct, rename="camel"):
    label: str
    sort_text: str


class Suggestions(msgspec.Struct):
    items: list[Suggestion]


class Markup(msgspec.Struct):
    value: str


class Hover(msgspec.Struct):
    contents: Markup


class Parameter(msgspec.Struct):
    label: tuple[int, int]


class Signature(msgspec.Struct, rename="camel"):
    label: str
    parameters: list[Parameter]
    documentation: Markup | None = None
    active_parameter: int | None = None


class Signatures(msgspec.Struct, rename="camel"):
    signatures: list[Signature]
    active_signature: int = 0


class Diagnostic(msgspec.Struct):
    range: Range
    severity: int
    message: str


class Diagnostics(msgspec.Struct):
    items: list[Diagnostic]


@dataclass(frozen=True)
class Help:
    """What stands above a call while its arguments are typed.

    Attributes:
        signature: The first that is shown, the whole of it.
        argument: The parameter that the caret is at.
        documentation: The docstring.
    """

    signature: str
    argument: str
    documentation: str


class Editor:
    """One session with the server.

    Args:
        process: The server.
        seconds: How long it may say nothing.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._seconds = seconds
        self._read = bytearray()
        self._asked = 0
        self._versions: dict[Path, int] = {}

    def show(self, path: Path, text: str) -> Caret:
        """Show a text as that of a file, which stays as it is, and need not exist. The caret is where ``‸`` stands."""
        before, _, after = text.partition(CARET)
        version = self._versions.get(path, 0) + 1
        self._versions[path] = version
        uri, text = path.as_uri(), before + after
        document = {"uri": uri, "version": version}
        if version == 1:
            opened = {**document, "languageId": "python", "text": text}
            self.tell("textDocument/didOpen", {"textDocument": opened})
        else:
            self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
        return Caret(self, uri, {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])})

    def ask(self, method: str, params: object, answer: type[T]) -> T | None:
        """Send a request and wait for its answer; None where the server has none."""
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while (message := self._receive()).method is not None or message.id != self._asked:
            if message.method is not None and message.id is not None:
                self._send({"id": message.id, "result": _settings(message)})
        if message.error is not None:
            raise RuntimeError(f"{method}: {message.error.message}")
        return None if message.result == b"null" else msgspec.json.decode(message.result, type=answer)

    def tell(self, method: str, params: object) -> None:
        """Send what has no answer."""
        self._send({"method": method, "params": params})

    def _send(self, message: Mapping[str, object]) -> None:
        body = msgspec.json.encode({"jsonrpc": "2.0", **message})
        self._stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._stdin.flush()

    def _receive(self) -> Message:
        deadline = time.monotonic() + self._seconds
        while b"\r\n\r\n" not in self._read:
            self._read_more(deadline)
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(self._read) < length:
            self._read_more(deadline)
        body, self._read = self._read[:length], self._read[length:]
        return msgspec.json.decode(body, type=Message)

    def _read_more(self, deadline: float) -> None:
        ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"The language server said nothing for {self._seconds} s")
        read = os.read(self._stdout.fileno(), 1 << 16)
        if not read:
            raise EOFError("The language server has ended")
        self._read += read


def _settings(request: Message) -> list[object] | None:
    """The answer to what the server asks of an editor: the settings, or that there is nothing to say."""
    if request.method != "workspace/configuration":
        return None
    wanted = msgspec.json.decode(request.params, type=Sections)
    return [SETTINGS.get(item.section) for item in wanted.items]


class Caret:
    """A place in a text, where somebody who writes asks for help. The methods ask about the text shown last."""

    def __init__(self, editor: Editor, uri: str, position: Mapping[str, int]) -> None:
        self._editor = editor
        self._document = {"textDocument": {"uri": uri}}
        self._place = {**self._document, "position": position}

    def completions(self) -> list[str]:
        """What pops up, best first."""
        found = self._editor.ask("textDocument/completion", self._place, Suggestions)
        items = [] if found is None else found.items
        return [item.label for item in sorted(items, key=lambda item: item.sort_text)]

    def hover(self) -> str:
        """What is shown beside the mouse."""
        found = self._editor.ask("textDocument/hover", self._place, Hover)
        return "" if found is None else found.contents.value

    def definitions(self) -> list[Location]:
        """Where a click leads."""
        return self._editor.ask("textDocument/definition", self._place, list[Location]) or []

    def help(self) -> Help | None:
        """What is shown above a call."""
        found = self._editor.ask("textDocument/signatureHelp", self._place, Signatures)
        if found is None:
            return None
        shown = found.signatures[found.active_signature]
        argument = ""
        if shown.active_parameter is not None and shown.active_parameter < len(shown.parameters):
            start, end = shown.parameters[shown.active_parameter].label
            argument = shown.label[start:end]
        documentation = "" if shown.documentation is None else shown.documentation.value
        return Help(shown.label, argument, documentation)

    def errors(self) -> list[Diagnostic]:
        """What is underlined in red in the whole text."""
        found = self._editor.ask("textDocument/diagnostic", self._document, Diagnostics)
        return [] if found is None else [item for item in found.items if item.severity == 1]


@contextmanager
def editing(root: Path, seconds: float = 60.0, server: str = "basedpyright") -> Generator[Editor]:
    """Start the language server of a type checker for the project in a folder, and end it."""
    program, *arguments = SERVERS[server]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    # In a process group of its own: the script runs the program in a child, and the one does not end without the other.
    with subprocess.Popen(
        [BIN / program, *arguments],
        cwd=root,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            editor = Editor(process, seconds)
            folder = {"uri": root.as_uri(), "name": root.name}
            start = {"processId": os.getpid(), "rootUri": folder["uri"], "workspaceFolders": [folder]}
            editor.ask("initialize", {**start, "capabilities": CAPABILITIES}, msgspec.Raw)
            editor.tell("initialized", {})
            yield editor
            editor.ask("shutdown", None, msgspec.Raw)
            editor.tell("exit", None)
            process.wait(seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
