"""What checks load of installed packages is loaded once for all of them; the code of the workspace is loaded anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lsp.editor import PATIENCE, editing
from tests.support import until

APP = """\
import sys
print([name in sys.modules for name in ("wsgiref.validate", "store")], file=open({log!r}, "a"))
import wsgiref.validate
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


AHEAD = """\
import sys
print("litestar" in sys.modules, file=open({log!r}, "a"))
from daebus import Daebus
app = Daebus("shop")
"""


async def test_litestar_is_loaded_while_nothing_is_checked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "app.py").write_text(AHEAD.format(log=str(log)))
    async with editing(tmp_path) as editor:
        editor.open("app.py")

        def is_loaded() -> bool:
            editor.type("app.py", f"{editor.text('app.py')}\n")
            return log.exists() and log.read_text().endswith("True\n")

        await until(is_loaded, PATIENCE, 0.5)
