"""A session in Helix."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lsp.sessions.recording import USERS, Session, copy_example
from tests.lsp.sessions.terminal import Terminal

__all__ = ["SESSION"]

# What makes a picture readable.
SETTINGS = """\
theme = "onedark"

[editor]
true-color = true
auto-pairs = false
end-of-line-diagnostics = "hint"
inline-diagnostics.cursor-line = "hint"
lsp.display-inlay-hints = true
"""


def prepare(folder: Path) -> None:
    """Write the project, and the settings beside it."""
    copy_example(folder)
    settings = folder.parent / "helix"
    settings.mkdir()
    shutil.copy(Path(__file__).with_suffix(".toml"), settings / "languages.toml")
    (settings / "config.toml").write_text(SETTINGS)


def record(terminal: Terminal) -> Iterator[tuple[str, str]]:
    """The pictures, and the name of each."""
    terminal.until("Users: over the bus")
    terminal.type("/users = Blueprint")
    terminal.press("Enter")
    # It asks for hints when the view moves, and the server has to run by then.
    while "repo: UserRepo Singleton" not in terminal.text():
        terminal.type("zjzk")
        time.sleep(1)
    # From nothing.
    terminal.type("o")
    terminal.press("Enter", "Enter")
    terminal.type('@users.action("find_user")')
    terminal.press("Enter")
    terminal.type("async def find_user(query: GetUser, *, re")
    terminal.until("repo: UserRepo  ", "redis: Redis  ")
    terminal.press("C-n")
    terminal.until("Singleton: created once")
    yield "completion", terminal.picture()
    terminal.press("Enter")
    terminal.type(") -> User | None:")
    terminal.press("Enter")
    terminal.type("    return await repo.find(query.id)")
    terminal.press("Enter", "Escape")
    terminal.until("*, repo: UserRepo Singleton) -> User | None:", gone=("●",))
    # A mistake, and its fix.
    terminal.type("?repo: UserRepo")
    terminal.press("Enter")
    terminal.type("c")
    terminal.type("rebo: UserRepo")
    terminal.press("Escape")
    terminal.until("did you mean 'repo'?")
    terminal.type("h a")
    terminal.until("Change rebo to repo")
    yield "mistake", terminal.picture()
    terminal.press("Tab", "Enter")
    terminal.until("*, repo: UserRepo Singleton) -> User | None:", gone=("●",))
    # The provider.
    terminal.type("gd")
    terminal.until("repo = providers.Singleton(UserRepo, db=db)", "container.py")
    yield "definition", terminal.picture()


SESSION = Session(("hx", USERS), prepare, record)
