"""What the server keeps on disk: the next session knows the wiring at once, and never that of other files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from lsprotocol import types
from tests.lsp.editor import editing
from tests.lsp.test_diagnostics import APP, WRONG
from tests.support import until

from daebus.checking.snapshot import Snapshot
from daebus.lsp.cache import Cache
from daebus.lsp.targets import Target

# Its check takes much longer than all that is asked before it has ended.
SLOW = f"import os, time\nif os.path.exists(os.path.dirname(__file__) + '/slow'): time.sleep(15)\n{APP}"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(str(tmp_path), "app:app", None, str(tmp_path / "app.py"))


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    (tmp_path / "app.py").write_text(APP)
    return Snapshot(service="shop", modules={str(tmp_path / "app.py"): "app"})


async def test_a_session_that_begins_again_knows_the_wiring_before_the_first_check(tmp_path: Path) -> None:
    project, kept = tmp_path / "project", tmp_path / "cache"
    project.mkdir()
    (project / "app.py").write_text(SLOW)
    async with editing(project, cache=kept) as editor:
        await until(lambda: [*kept.rglob("*.json")], 60)
    (project / "slow").touch()
    async with editing(project, cache=kept) as editor:
        editor.open("app.py")
        where = types.HoverParams(editor.at("app.py"), editor.find("app.py", "*, re|po: Repo"))
        hovered = await editor.client.text_document_hover_async(where)
        assert hovered is not None
        assert "Singleton" in str(hovered.contents)


async def test_mistakes_of_the_last_session_are_shown_until_they_are_mended(tmp_path: Path) -> None:
    project, kept = tmp_path / "project", tmp_path / "cache"
    project.mkdir()
    (project / "app.py").write_text(WRONG)
    for _ in range(2):
        async with editing(project, cache=kept) as editor:
            await editor.until_codes("app.py", "unknown-service")
    (project / "app.py").write_text(APP)
    async with editing(project, cache=kept) as editor:
        editor.open("app.py")
        where = types.HoverParams(editor.at("app.py"), editor.find("app.py", "*, re|po: Repo"))
        await until(lambda: editor.client.text_document_hover_async(where), 60)
        assert editor.codes("app.py") == []


def test_what_was_kept_is_read_while_no_file_has_changed(tmp_path: Path, target: Target, snapshot: Snapshot) -> None:
    Cache(tmp_path / "cache").write(target, snapshot, time.time_ns() + 1)
    found = Cache(tmp_path / "cache").read(target)
    assert found is not None
    assert (found.service, found.modules) == (snapshot.service, snapshot.modules)
    os.utime(tmp_path / "app.py", ns=(0, 0))
    assert Cache(tmp_path / "cache").read(target) is None
    (tmp_path / "app.py").unlink()
    assert Cache(tmp_path / "cache").read(target) is None


def test_a_file_that_changes_during_the_check_is_not_taken_for_what_was_checked(
    tmp_path: Path, target: Target, snapshot: Snapshot
) -> None:
    began = time.time_ns()
    os.utime(tmp_path / "app.py", ns=(began, began))
    Cache(tmp_path / "cache").write(target, snapshot, began)
    assert Cache(tmp_path / "cache").read(target) is None


def test_a_cache_that_is_broken_or_cannot_be_written_is_as_none(
    tmp_path: Path, target: Target, snapshot: Snapshot
) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write(target, snapshot, time.time_ns() + 1)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"{")
    assert Cache(tmp_path / "cache").read(target) is None
    (tmp_path / "file").touch()
    unwritable = Cache(tmp_path / "file")
    unwritable.write(target, snapshot, time.time_ns() + 1)
    assert unwritable.read(target) is None


def test_what_no_editor_has_read_for_a_month_is_deleted(tmp_path: Path, target: Target, snapshot: Snapshot) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write(target, snapshot, time.time_ns() + 1)
    cache.clean()
    (kept,) = (tmp_path / "cache").iterdir()
    long_ago = time.time() - 40 * 86_400
    os.utime(kept, (long_ago, long_ago))
    cache.clean()
    assert [*(tmp_path / "cache").iterdir()] == []
