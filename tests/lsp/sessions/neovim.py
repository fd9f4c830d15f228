"""A session in Neovim 0.11 or later: a handler is written from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.lsp.sessions.recording import Session
from tests.lsp.sessions.terminal import Terminal

__all__ = ["SESSION"]

CONTRACTS = """\
import msgspec
from daebus import Action


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str


GET_USER = Action[GetUser, User]("get_user", service="users")
DELETE_USER = Action[GetUser, None]("delete_user", service="users")
"""
CONTAINER = """\
from contracts import User
from dependency_injector import providers
from daebus import ServiceContainer


class UserRepo:
    \"\"\"The users, by their ids.\"\"\"

    async def find(self, id: str) -> User: ...


class Container(ServiceContainer):
    limit = providers.Object(100)
    repo = providers.Singleton(UserRepo)
"""
USERS = """\
from container import Container
from contracts import GET_USER, GetUser, User
from daebus import Blueprint

users = Blueprint("users", services=Container)


@users.on_start()
async def greet(*, limit: int) -> None:
    print(f"At most {limit} users")


"""
APP = """\
from container import Container
from users import users
from daebus import Daebus

app = Daebus("users", container=Container())
app.register_blueprint(users)
"""


FILES = {"app.py": APP, "container.py": CONTAINER, "contracts.py": CONTRACTS, "users.py": USERS}


def record(terminal: Terminal) -> Iterator[tuple[str, str]]:
    """The pictures, and the name of each."""
    terminal.until("limit: int Object")
    # From nothing: the contract, then the service, both by completion.
    terminal.press("G")
    terminal.type("o@users.action(")
    terminal.press("C-Space")
    terminal.until("Action[GetUser, User]", "DELETE_USER")
    yield "completion_of_a_contract", terminal.picture()
    terminal.type("G")
    terminal.until(gone=("DELETE_USER",))
    terminal.press("C-y")
    terminal.type(")")
    terminal.press("Enter")
    terminal.type("async def get_user(query: GetUser, *, re")
    terminal.press("C-Space")
    terminal.until("repo: UserRepo", "Singleton, created")
    yield "completion_of_a_service", terminal.picture()
    terminal.press("C-y")
    terminal.type(") -> User:")
    terminal.press("Enter")
    terminal.type("return await repo.find(query.id)")
    terminal.press("Escape")
    terminal.until("return await repo.find(query.id)", "import Container, UserRepo", "repo: UserRepo Singleton")
    # A mistake, its message, and its fix.
    terminal.type(":%s/repo: UserRepo/rebo: UserRepo/")
    terminal.press("Enter")
    terminal.until("■ get_user(rebo: UserRepo)")
    terminal.type("/rebo: UserRepo")
    terminal.press("Enter")
    terminal.press("C-w", "d")
    terminal.until("did you mean 'repo'?")
    yield "mistake", terminal.picture()
    terminal.type(":lua vim.lsp.buf.code_action({ apply = true, filter = function(one) return one.isPreferred end })")
    terminal.press("Enter")
    terminal.until("*, repo: UserRepo", gone=("■", "did you mean"))
    yield "fixed", terminal.picture()
    terminal.type("/repo: User")
    terminal.press("Enter")
    terminal.press("C-]")
    terminal.until("class Container(ServiceContainer)", "repo = providers.Singleton(UserRepo)")
    yield "definition", terminal.picture()


def prepare(folder: Path) -> None:
    """Write the project."""
    folder.mkdir()
    for file, text in FILES.items():
        (folder / file).write_text(text)
    (folder / "pyproject.toml").write_text('[tool.daebus]\napp = "app:app"\n')


SETTINGS = Path(__file__).with_suffix(".lua")
SESSION = Session(("nvim", "--clean", "-u", str(SETTINGS), "users.py"), prepare, record)
