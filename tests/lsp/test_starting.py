"""The start: the first check begins before the server is loaded, and what it finds is shown if it still holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lsprotocol import types
from tests.lsp.editor import editing
from tests.lsp.test_diagnostics import APP, WRONG
from tests.support import until

NOTED = "with open(__file__ + '.imports', 'a') as file: file.write('x')\n"


def write(folder: Path, text: str) -> None:
    """Write an app that notes each import of itself, and that is not new."""
    (folder / "app.py").write_text(NOTED + text)
    os.utime(folder / "app.py", (1_700_000_000, 1_700_000_000))


def imports(folder: Path) -> int:
    """How often the app was imported."""
    noted = folder / "app.py.imports"
    return len(noted.read_text()) if noted.exists() else 0


async def test_the_first_check_begins_with_the_first_message_of_the_editor_and_is_not_repeated(tmp_path: Path) -> None:
    write(tmp_path, WRONG)
    async with editing(tmp_path, initialized=False) as editor:
        await until(lambda: imports(tmp_path) == 1, 60)
        editor.client.initialized(types.InitializedParams())
        editor.open("app.py")
        await editor.until_codes("app.py", "unknown-service")
        assert imports(tmp_path) == 1


@pytest.mark.parametrize("saved", [True, False])
async def test_what_was_edited_since_the_first_message_is_checked_again(tmp_path: Path, saved: bool) -> None:
    write(tmp_path, WRONG)
    async with editing(tmp_path, initialized=False) as editor:
        await until(lambda: imports(tmp_path) == 1, 60)
        if saved:
            (tmp_path / "app.py").write_text(NOTED + APP)
        editor.open("app.py", NOTED + APP)
        editor.client.initialized(types.InitializedParams())
        where = types.HoverParams(editor.at("app.py"), editor.find("app.py", "*, re|po: Repo"))
        await until(lambda: editor.client.text_document_hover_async(where), 60)
        assert not any(editor.told.get(editor.uri("app.py"), []))


async def test_an_app_that_was_just_written_is_checked_when_the_server_is_ready(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(NOTED + WRONG)
    async with editing(tmp_path, initialized=False) as editor:
        assert imports(tmp_path) == 0
        editor.client.initialized(types.InitializedParams())
        await editor.until_codes("app.py", "unknown-service")
