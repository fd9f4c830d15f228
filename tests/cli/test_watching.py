"""``daebus check --watch``: a check after each change, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.processes import DAEBUS

APP = """\
from daebus import Daebus
app = Daebus("shop")
@app.action("get")
async def get(key: str) -> str: ...
"""
PATIENCE = 60.0


def test_each_change_is_checked_and_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "app.py").write_text(APP)
    out = tmp_path / "out"
    with out.open("wb") as written:
        process = subprocess.Popen(
            [*DAEBUS, "check", "app", "--watch"], cwd=tmp_path, stdout=written, stderr=written, start_new_session=True
        )
    try:
        wait(process, lambda: out.read_text().count("waiting for a change") == 1)
        assert "ok: shop, 1 handler\n" in out.read_text()
        (tmp_path / "app.py").write_text(APP.replace("key: str", "key"))
        wait(process, lambda: out.read_text().count("waiting for a change") == 2)
        assert "error[missing-annotation]: get(key)" in out.read_text()
        # The check of this one never ends; the next change ends it.
        (tmp_path / "app.py").write_text("import time\nprint('hanging', flush=True)\ntime.sleep(600)\n")
        wait(process, lambda: "hanging" in out.read_text())
        (tmp_path / "app.py").write_text("import time\nprint('again', flush=True)\ntime.sleep(600)\n")
        wait(process, lambda: "again" in out.read_text())
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in out.read_text()
    finally:
        process.kill()
        process.wait()


def wait(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Wait until something is so, as long as the process lives."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
