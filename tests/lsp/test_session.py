"""What an editor gets that does not ask again when more is known: its answers wait for the check in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from tests.lsp.editor import Editor, editing
from tests.lsp.workspace import make_workspace

ADDED = """
@users.action("added")
async def added(number: int, *, repo: Repo) -> None: ...

app = Daebus("shop\""""


async def hints(editor: Editor) -> Sequence[types.InlayHint]:
    """The inlay hints of shop.py, for which the editor of the tests has no refresh."""
    everywhere = types.Range(types.Position(0, 0), types.Position(1000, 0))
    found = await editor.client.text_document_inlay_hint_async(types.InlayHintParams(editor.at("shop.py"), everywhere))
    return found or ()


async def test_an_answer_waits_for_the_check_of_the_text(tmp_path: Path) -> None:
    make_workspace(tmp_path)
    async with editing(tmp_path) as editor:
        editor.open("shop.py")
        at_first = await hints(editor)
        editor.replace("shop.py", 'app = Daebus("shop"', ADDED)
        assert len(await hints(editor)) == len(at_first) + 1 > 1


async def test_an_answer_about_an_earlier_text_is_not_given(tmp_path: Path) -> None:
    make_workspace(tmp_path)
    async with editing(tmp_path) as editor:
        editor.open("shop.py")
        await hints(editor)
        editor.replace("shop.py", 'app = Daebus("shop"', ADDED)
        early = asyncio.ensure_future(hints(editor))
        await asyncio.sleep(0)
        editor.replace("shop.py", "added(number: int,", "added(")
        with pytest.raises(JsonRpcException):
            await early
        assert await hints(editor)
