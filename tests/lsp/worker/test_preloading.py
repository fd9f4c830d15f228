"""What checks load of installed packages is loaded once for all of them; the code of the workspace is loaded anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lsp.editor import PATIENCE, editing
from tests.support import until

APP = """\
import sys
print([name in sys.modules for name in ("wsgiref.headers", "store")], file=open({log!r}, "a"))
import wsgiref.headers
import store
{more}
from daebus import Daebus
app = Daebus("shop")
"""
THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(9,)).start()"


@pytest.mark.parametrize("more", ["", THREAD])
async def test_installed_modules_are_loaded_once_unless_code_starts_a_thread(tmp_path: Path, more: str) -> None:
    log, text = tmp_path / "log", APP.format(log=str(tmp_path / "log"), more=more)
    (tmp_path / "app.py").write_text(text)
    (tmp_path / "store.py").write_text("")
    async with editing(tmp_path) as editor:
        editor.open("app.py")
        for count in range(1, 4):  # a line for each check, each of which has shown that the app has no handlers
            await until(lambda: len(editor.told.get(editor.uri("app.py"), [])) >= count, PATIENCE)  # noqa: B023
            editor.type("app.py", text + "\n" * count)
    lines = log.read_text().splitlines()
    assert lines[0] == "[False, False]"
    assert set(lines[2:]) == ({"[False, False]"} if more else {"[True, False]"})
