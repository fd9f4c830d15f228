"""Random edits: the server stays alive, and afterwards knows what a fresh one would know."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types
from tests.lsp.editor import PATIENCE, Editor, apply, editing
from tests.lsp.workspace import FILES, SHOP, make_workspace
from tests.support import until

EDITS = 80
PIECES = ("", "\n", "(", ")", "*, ", "repo: Repo", "@users.action(", "async def f(", '"', "'''", "é", "𠮷", ":", "#")
FINAL = SHOP.replace("*, repo: Repo, bus: Bus", "*, reppo: Repo, bus: Bus")


def edit(editor: Editor, chance: random.Random) -> types.Position:
    """Replace a piece of a file at random, as an editor sends it; returns where."""
    text = editor.text("shop.py")
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.choice((0, 0, 1, 3, 30)))
    where = types.Range(position(text, start), position(text, end))
    piece = chance.choice(PIECES)
    editor.change("shop.py", apply(text, [types.TextEdit(where, piece)]), where, piece)
    return where.start


def position(text: str, offset: int) -> types.Position:
    """A position as editors count it, in UTF-16."""
    before = text[:offset]
    line = before[before.rfind("\n") + 1 :]
    return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)


async def ask(editor: Editor, at: types.Position, chance: random.Random) -> None:
    """Ask for anything; an error of the server would be raised here."""
    client, document = editor.client, editor.at("shop.py")
    everywhere = types.Range(types.Position(0, 0), at)
    await chance.choice(
        (
            lambda: client.text_document_completion_async(types.CompletionParams(document, at)),
            lambda: client.text_document_hover_async(types.HoverParams(document, at)),
            lambda: client.text_document_definition_async(types.DefinitionParams(document, at)),
            lambda: client.text_document_references_async(
                types.ReferenceParams(types.ReferenceContext(include_declaration=True), document, at)
            ),
            lambda: client.text_document_prepare_rename_async(types.PrepareRenameParams(document, at)),
            lambda: client.text_document_rename_async(types.RenameParams(document, at, "other")),
            lambda: client.text_document_code_lens_async(types.CodeLensParams(document)),
            lambda: client.text_document_inlay_hint_async(types.InlayHintParams(document, everywhere)),
            lambda: client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document)),
            lambda: client.text_document_code_action_async(
                types.CodeActionParams(
                    document, types.Range(at, at), types.CodeActionContext(editor.diagnostics("shop.py"))
                )
            ),
        )
    )()


async def known(editor: Editor) -> tuple[object, ...]:
    """What the server says about the final text, when it has checked it."""
    await until(lambda: editor.codes("shop.py") == ["unknown-service"], PATIENCE)
    lenses = await editor.client.text_document_code_lens_async(types.CodeLensParams(editor.at("contracts.py")))
    at = editor.find("shop.py", "def fi|nd")
    hover = await editor.client.text_document_hover_async(types.HoverParams(editor.at("shop.py"), at))
    return editor.diagnostics("shop.py"), lenses, hover


async def has_lenses(editor: Editor) -> bool:
    """Whether the server knows the workspace."""
    return bool(await editor.client.text_document_code_lens_async(types.CodeLensParams(editor.at("mail.py"))))


async def compare(folder: Path, chance: random.Random) -> None:
    make_workspace(folder)
    async with editing(folder) as editor:
        for name in FILES:
            editor.open(name)
        await until(lambda: has_lenses(editor), PATIENCE)
        for _ in range(EDITS):
            await ask(editor, edit(editor, chance), chance)
        editor.type("shop.py", FINAL)
        (folder / "shop.py").write_text(FINAL)
        edited = await known(editor)
    async with editing(folder) as fresh:
        for name in FILES:
            fresh.open(name)
        assert edited == await known(fresh)


@settings(max_examples=1, deadline=None)
@given(st.integers(0, 2**32))
def test_random_edits_leave_it_right_and_alive(seed: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder).resolve(), random.Random(seed)))
