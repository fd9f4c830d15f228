"""A small project in git, whose contracts change."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["BROKEN", "Project"]

APP = """
from daebus import Daebus
from shop.types import Query

app = Daebus("shop")
print("loaded")

@app.action("find")
async def find(query: Query) -> str:
    return ""
"""
TYPES = "import msgspec\n\nclass Query(msgspec.Struct):\n    id: int\n"
BROKEN = f"{TYPES}    page: int\n"
"""Types that refuse what callers of before send."""


class Project:
    """A project in git, with one commit on the branch ``main``.

    Args:
        folder: An empty folder.
        where: The folder in it that has the package ``shop``.
    """

    def __init__(self, folder: Path, where: str = ".") -> None:
        self.folder = folder
        self.code: Path = folder / where / "shop"
        self.code.mkdir(parents=True)
        (self.code / "__init__.py").write_text("")
        (self.code / "app.py").write_text(APP)
        (self.code / "types.py").write_text(TYPES)
        for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "first")):
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=folder, check=True)

    def change(self, types: str) -> None:
        """Change the types, without a commit."""
        (self.code / "types.py").write_text(types)
