"""Random edits of a language server, compared with fresh ones: ``python -m tests.lsp.edits --count 10000``.

The files of a workspace are edited, undone, saved, renamed, closed and opened again, and the server is asked for
anything in between. After some edits, a fresh server is started on the same text. The code is mostly broken then, and
both must show the same diagnostics. Then each file gets a right text, and both must answer every question alike. One
server gets all the edits.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lsprotocol import types
from tests.lsp.editor import PATIENCE, Editor, apply, editing
from tests.lsp.workspace import CONTRACTS, FILES, MAIL, SHOP, STORE, make_workspace
from tests.support import until

from daebus.lsp.targets import find_targets

__all__ = ["Example", "examples", "play"]

Kind = Literal["insert", "delete", "line", "undo", "save", "rename", "close"]
HOW_OFTEN: Mapping[Kind, int] = {"insert": 6, "delete": 3, "line": 3, "undo": 2, "save": 1, "rename": 1, "close": 1}
KINDS = [kind for kind, count in HOW_OFTEN.items() for _ in range(count)]
PIECES = (
    "\n",
    "(",
    ")",
    "*, ",
    "repo: Repo",
    "@users.action(",
    "async def f(",
    '"',
    "'''",
    "é",
    "𠮷",
    ":",
    "#",
    "\r\n",
)
LINES = (
    "",
    "import nothing",
    "class Repo: ...",
    "    repo = providers.Singleton(Repo)",
    "async def find(query: Query, *, reppo: Repo) -> str:",
    "@users.action(FIND)",
    '@users.route("/things/<other>")',
    "    return query.id",
    'app = Daebus("other")',
    'EVENTS = Channel[Created]("events")',
)
# The texts in which the files may end. They fit together.
RIGHT: Mapping[str, Sequence[str]] = {
    "contracts.py": (CONTRACTS, CONTRACTS.replace("UNSERVED", "UNUSED"), f"\n\n{CONTRACTS}"),
    "store.py": (STORE, f'"""The store."""\n\n{STORE}'),
    "shop.py": (
        SHOP,
        SHOP.replace("*, repo: Repo, bus: Bus", "*, reppo: Repo, bus: Bus"),
        SHOP.replace("@users.action(FIND)", "@users.action(FIND, timeout=3)"),
        SHOP.replace("(thing_id: str, *, repo: Repo)", "(thing_id: str, *, repo: Repo, session: str)"),
    ),
    "mail.py": (MAIL, MAIL.replace('Daebus("mail")', 'Daebus("post")'), MAIL.replace("on_event", "on_anything")),
}
STEADY = 0.5
"""Seconds for which two servers must show the same."""


@dataclass(frozen=True)
class Step:
    """What is done with a file; `where` and `what` are taken modulo what there is."""

    kind: Kind
    name: str
    where: int
    what: int


@dataclass(frozen=True)
class Example:
    """Some steps, and which right text each file gets in the end."""

    steps: Sequence[Step]
    ends: Sequence[int]


def examples(size: int) -> st.SearchStrategy[Example]:
    """Examples with so many steps."""
    number = st.integers(0, 9999)
    step = st.builds(Step, st.sampled_from(KINDS), st.sampled_from(sorted(FILES)), number, number)
    ends = st.lists(number, min_size=len(FILES), max_size=len(FILES))
    return st.builds(Example, st.lists(step, min_size=size, max_size=size), ends)


class Typist:
    """Somebody who edits the files of a workspace.

    Attributes:
        editor: The editor.
        names: The present name of each file; it differs after a renaming.
    """

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        # Also after an example that has failed.
        self.names = {name: old if (editor.folder / (old := f"old_{name}")).exists() else name for name in FILES}
        self._before: dict[str, list[str]] = {name: [] for name in FILES}

    async def do(self, step: Step) -> None:
        """Do a step, and ask the server for something there."""
        name = self.names[step.name]
        if not self.editor.is_open(name):
            self.editor.open(name)
        text, before = self.editor.text(name), self._before[step.name]
        if step.kind in ("insert", "delete", "line"):
            before.append(text)
            start, end, piece = _change(text, step)
            where = types.Range(position(text, start), position(text, end))
            self.editor.change(name, apply(text, [types.TextEdit(where, piece)]), where, piece)
        elif step.kind == "undo" and before:
            self.editor.type(name, before.pop())
        elif step.kind == "save":
            self.editor.save(name)
        elif step.kind == "rename":
            self.names[step.name] = f"old_{step.name}" if name == step.name else step.name
            self.editor.rename(name, self.names[step.name])
        elif step.kind == "close":
            self.editor.close(name)
            before.clear()
        await ask(self.editor, self.names[step.name], step)

    def end(self, ends: Sequence[int]) -> None:
        """Give each file its name, and a right text, which is saved or not."""
        for number, (name, texts) in zip(ends, RIGHT.items(), strict=True):
            if not self.editor.is_open(self.names[name]):
                self.editor.open(self.names[name])
            if self.names[name] != name:
                self.editor.rename(self.names[name], name)
                self.names[name] = name
            self.editor.type(name, texts[number % len(texts)])
            if number % 2:
                self.editor.save(name)


def _change(text: str, step: Step) -> tuple[int, int, str]:
    """From where to where a step replaces the text, and by what."""
    if step.kind == "line":
        starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]
        start = starts[step.where % len(starts)]
        return start, start + len(text[start:].partition("\n")[0]), LINES[step.what % len(LINES)]
    start = step.where % (len(text) + 1)
    end = min(len(text), start + (step.what % 30 if step.kind == "delete" else 0))
    return start, end, PIECES[step.what % len(PIECES)] if step.kind == "insert" else ""


def position(text: str, offset: int) -> types.Position:
    """A position as editors count it, in UTF-16."""
    before = text[:offset]
    line = before[before.rfind("\n") + 1 :]
    return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)


async def ask(editor: Editor, name: str, step: Step) -> None:
    """Ask for one thing; an error of the server would be raised here."""
    text = editor.text(name)
    questions = list(questions_at(editor, name, position(text, step.where % (len(text) + 1))).values())
    await questions[step.what % len(questions)]()


def questions_at(editor: Editor, name: str, at: types.Position) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """All that can be asked at a position of a file."""
    client, document = editor.client, editor.at(name)
    here, everywhere = types.Range(at, at), types.Range(types.Position(0, 0), types.Position(10_000, 0))
    context = types.CodeActionContext(editor.diagnostics(name))
    referring = types.ReferenceContext(include_declaration=True)
    return {
        "completion": lambda: client.text_document_completion_async(types.CompletionParams(document, at)),
        "hover": lambda: client.text_document_hover_async(types.HoverParams(document, at)),
        "definition": lambda: client.text_document_definition_async(types.DefinitionParams(document, at)),
        "references": lambda: client.text_document_references_async(types.ReferenceParams(referring, document, at)),
        "prepared": lambda: client.text_document_prepare_rename_async(types.PrepareRenameParams(document, at)),
        "renamed": lambda: client.text_document_rename_async(types.RenameParams(document, at, "other")),
        "lenses": lambda: client.text_document_code_lens_async(types.CodeLensParams(document)),
        "hints": lambda: client.text_document_inlay_hint_async(types.InlayHintParams(document, everywhere)),
        "tokens": lambda: client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document)),
        "actions": lambda: client.text_document_code_action_async(types.CodeActionParams(document, here, context)),
        "symbols": lambda: client.workspace_symbol_async(types.WorkspaceSymbolParams("")),
    }


async def answers(editor: Editor, number: int) -> list[object]:
    """The answers to every question, at some places of each open file."""
    found: list[object] = []
    for name in FILES:
        text = editor.text(name)
        for offset in range(number % 97, len(text), 97):
            asked = questions_at(editor, name, position(text, offset))
            found += [(name, offset, title, await ask()) for title, ask in asked.items()]
    return found


@asynccontextmanager
async def fresh(editor: Editor) -> AsyncGenerator[Editor]:
    """A fresh server with the same files and the same unsaved text, when it has checked the apps that it finds."""
    apps = len(find_targets([str(editor.folder)]))
    async with editing(editor.folder) as other:
        for name, text in editor.opened().items():
            other.open(name, text)
        await until(lambda: sum(map(len, other.told.values())) + other.refreshed >= apps, PATIENCE)
        yield other


async def until_same(one: Editor, other: Editor, shown: Callable[[Editor], Awaitable[object]]) -> None:
    """Wait until two servers show the same, and go on to do so."""
    since: float | None = None

    async def same() -> bool:
        nonlocal since
        if await shown(one) != await shown(other):
            since = None
        elif since is None:
            since = time.monotonic()
        return since is not None and time.monotonic() - since > STEADY

    try:
        await until(same, PATIENCE, 0.05)
    except TimeoutError:
        assert await shown(one) == await shown(other)  # which says what differs
        raise


async def mistakes(editor: Editor) -> object:
    """The diagnostics."""
    return editor.shown()


async def everything(editor: Editor) -> object:
    """The diagnostics, and what is known of all apps."""
    symbols = await editor.client.workspace_symbol_async(types.WorkspaceSymbolParams(""))
    lenses = [
        await editor.client.text_document_code_lens_async(types.CodeLensParams(editor.at(name))) for name in FILES
    ]
    return editor.shown(), symbols, lenses


async def play(editor: Editor, example: Example) -> None:
    """Do the steps of an example, and compare the server with fresh ones: on broken code, then on right code."""
    typist = Typist(editor)
    for step in example.steps:
        await typist.do(step)
    async with fresh(editor) as other:
        await until_same(editor, other, mistakes)
    typist.end(example.ends)
    async with fresh(editor) as other:
        await until_same(editor, other, everything)
        assert await answers(editor, example.ends[0]) == await answers(other, example.ends[0])


@click.command()
@click.option("--count", default=10_000, help="How many edits.")
@click.option("--size", default=100, help="How many of them are made between two comparisons.")
@click.option("--seed", "first", default=1, help="Another number gives other edits.")
def main(count: int, size: int, first: int) -> None:
    """Make random edits."""
    begun, played = time.monotonic(), 0
    with asyncio.Runner() as runner, TemporaryDirectory() as name:
        folder = Path(name).resolve()
        make_workspace(folder)
        opened = editing(folder)
        editor = runner.run(opened.__aenter__())

        @seed(first)
        @settings(
            max_examples=count // size,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        )
        @given(examples(size))
        def run(example: Example) -> None:
            nonlocal played
            runner.run(play(editor, example))
            played += len(example.steps)
            click.echo(f"\r{played} edits in {time.monotonic() - begun:.0f} s", nl=False)

        run()
        runner.run(opened.__aexit__(None, None, None))
    click.echo(f"\r{played} edits in {time.monotonic() - begun:.0f} s: the server answers as fresh ones do")


if __name__ == "__main__":
    sys.exit(main())
