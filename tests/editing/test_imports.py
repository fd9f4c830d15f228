"""The import that a completion adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from daebus.checking.snapshot import Member
from daebus.editing.edits import apply_edits
from daebus.editing.imports import import_edits
from daebus.editing.syntax import Page


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "from shop import Repo\nx = 1\n"),
        ('"""Doc."""\nx = 1\n', '"""Doc."""\n\nfrom shop import Repo\nx = 1\n'),
        ("import os\nx = 1\n", "import os\nfrom shop import Repo\nx = 1\n"),
        ("import os", "import os\nfrom shop import Repo\n"),
        ("from shop import Db\n", "from shop import Db, Repo\n"),
        ("from shop import Db  # why\n", "from shop import Db, Repo  # why\n"),
        ("from shop import (Db)\n", "from shop import (Db, Repo)\n"),
        ("from shop import (\n    Db,\n)\n", "from shop import (\n    Db,\n    Repo,\n)\n"),
        ("from shop import (\n    Db\n)\n", "from shop import (\n    Db,\n    Repo,\n)\n"),
        ("from shopping import Db\n", "from shopping import Db\nfrom shop import Repo\n"),
        ("from shop import Repo\n", "from shop import Repo\n"),
        ("from shop import (\n    Repo,\n)\n", "from shop import (\n    Repo,\n)\n"),
        ("from other import Thing as Repo\n", "from other import Thing as Repo\n"),
        ("class Repo: ...\n", "class Repo: ...\n"),
    ],
)
def test_a_name_is_imported_once(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "app.py"
    path.write_text(before)
    edits = import_edits(str(path), Page(before), Member("Repo", "shop", "Repo"), "/shop.py")
    assert apply_edits(before, edits) == after


def test_what_needs_no_import(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text("x = 1\n")
    page = Page("x = 1\n")
    assert import_edits(str(path), page, Member("str"), None) == []
    assert import_edits(str(path), page, Member("Repo", "shop", "Repo"), str(path)) == []
