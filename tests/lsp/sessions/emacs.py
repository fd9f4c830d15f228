"""A session in Emacs with lsp-mode. On Debian: ``emacs-nox elpa-lsp-mode elpa-company``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.lsp.sessions.recording import USERS, Session, copy_example
from tests.lsp.sessions.terminal import Terminal

__all__ = ["SESSION"]


def prepare(folder: Path) -> None:
    """Write the project."""
    copy_example(folder)
    (folder / ".projectile").touch()
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


def record(terminal: Terminal) -> Iterator[tuple[str, str]]:
    """The pictures, and the name of each."""
    terminal.until("Users: over the bus", "Python")
    _find(terminal, "C-s", "# Actions")
    terminal.until("LSP[daebus", "no callers in the workspace", gone=("starting",))
    terminal.press("Enter", "Enter", "Enter")
    terminal.type('@users.action("find_user")')
    terminal.press("Enter")
    terminal.type("async def find_user(query: GetUser, *, re")
    terminal.until("repo: UserRepo Singleton", "redis: Redis")
    yield "completion", terminal.picture()
    terminal.press("Enter")
    terminal.type(") -> User | None:")
    terminal.press("Enter")
    terminal.type("return await repo.find(query.id)")
    terminal.press("Enter")
    terminal.until("*, repo: UserRepo) -> User | None:", "[0 0]")
    # A mistake, and its fix.
    _find(terminal, "C-r", "repo: UserRepo")
    terminal.press("M-d")
    terminal.type("rebo")
    terminal.until("[1 0]")
    terminal.press("C-b")  # so that its message is shown
    terminal.until("help: did you mean 'repo'?")
    yield "mistake", terminal.picture()
    terminal.press("C-c", "l", "a", "a")
    terminal.until("*, repo: UserRepo) -> User | None:", gone=("rebo",))
    # The provider.
    terminal.press("C-e")
    _find(terminal, "C-r", "repo: UserRepo")
    terminal.press("M-.")
    terminal.until("repo = providers.Singleton(UserRepo, db=db)", "container.py")
    yield "definition", terminal.picture()


def _find(terminal: Terminal, keys: str, text: str) -> None:
    terminal.press(keys)
    terminal.type(text)
    terminal.press("Enter")


SETTINGS = Path(__file__).with_suffix(".el")
SESSION = Session(("emacs", "-nw", "-q", "-l", str(SETTINGS), USERS), prepare, record)
