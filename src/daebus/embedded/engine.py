"""The embedded engine: one Valkey server for a project, shared by its processes, stopped with the last of them.

It relies on `flock` on files in the project's ``.daebus`` folder. The kernel releases such a lock when its holder ends,
even by kill -9, so no process id is ever trusted:

- ``members.lock``: shared by every process that uses the engine. The keeper, a small program that owns the server,
  waits for it exclusively: once it has the lock, no user is left.
- ``engine.lock``: passed from the process that starts the engine to the keeper and on to the server. A process that
  gets it may start a server, because no server can be alive.
- ``keeper.lock``: taken by the keeper before it starts the server. A server that answers while the keeper does not hold
  it is an orphan that is about to stop.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from daebus.errors import StartupError

from .place import PATIENCE, REMEDY, Place, os_errors_explained, private_place, project_folder, project_place
from .socket import ask

if sys.platform != "win32":
    from .keeper import ALONE, SHARED, FileLock

__all__ = ["EmbeddedEngine", "engine_runs", "join_embedded"]

_KEEPER = Path(__file__).with_name("keeper.py")
_STARTS = 3  # how often one process tries to start the server


class EmbeddedEngine:
    """The membership of a process that uses an embedded engine. It ends with `close`, or with the process.

    A forked child is no member: it joins for itself.

    Attributes:
        url: The server's address for redis-py: ``unix:///run/user/1000/daebus/0123456789abcdef.sock?db=0``.
        data: The folder of its data and its log.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._members, address = _join(place)
        self.url: str = f"unix://{quote(str(address))}?db=0"
        self.data: Path = place.data

    @property
    def notice(self) -> str:
        """The log line for the use of the engine: that it is in use, where its data is stored, who has access."""
        return f"Using the embedded Valkey engine, data in {self.data}; no other host sees it. {REMEDY}"

    def revive(self) -> None:
        """Start the server again if it was killed, else do nothing. It comes back at the same `url`, with its data.

        Blocks like `join_embedded`. Raises `StartupError`.
        """
        with os_errors_explained():
            # Join again, because the folder may have been removed, and our membership with it.
            members, _ = _join(self._place)
        before, self._members = self._members, members
        if not before.release():
            self.close()  # another thread did so, meanwhile

    def close(self) -> None:
        """Leave; the server stops with its last user. A private engine is gone when this returns. Idempotent."""
        if self._members.release() and self._place.private:
            self._place.wait_until_removed()


def join_embedded(folder: Path | None = None, *, private: bool = False, patience: float = PATIENCE) -> EmbeddedEngine:
    """Join the engine of a project, and start it if it does not run; returns when the server answers.

    Blocks for some 2 ms, or 80 ms if the server is started.

    Args:
        folder: The project's folder; by default `project_folder()`. Its data is stored in ``.daebus`` within.
        private: An engine for this process alone, in a temporary folder, that keeps nothing; `folder` is not used.
        patience: Seconds without progress after which the attempt is given up.

    Raises:
        ConfigurationError: There is no server for this platform, or no place for its socket.
        StartupError: The server does not start (the text has the last line of its log), or the folder, or the server
            that listens there, belongs to another user.
    """
    with os_errors_explained():
        place = private_place() if private else project_place(folder or project_folder())
        return EmbeddedEngine(replace(place, patience=patience))


def engine_runs(folder: Path) -> bool:
    """Whether the engine of the project in `folder` runs. Starts and writes nothing.

    Raises:
        ConfigurationError: There is no server for this platform.
        StartupError: The running server belongs to another user.
    """
    place = project_place(folder)
    if not place.data.is_dir():
        return False
    place.require_own()
    return ask(place.own_address(), b"PING") != b""


def _join(place: Place) -> tuple[FileLock, Path]:
    """Become a member and ensure that the server answers. Returns the membership and the address."""
    place.prepare()
    members = FileLock(place.data / "members.lock")
    deadline = time.monotonic() + place.patience
    try:
        while not members.take(SHARED):  # the keeper is ending the server
            if time.monotonic() > deadline:
                raise place.failure(f"has not ended within {place.patience:.0f} s")
            time.sleep(0.005)
        return members, _bring_up(place)
    except BaseException:
        members.release()
        if place.private:
            shutil.rmtree(place.data, ignore_errors=True)
        raise


def _bring_up(place: Place) -> Path:
    """Wait until the server answers, starting it if there is none. Returns its address."""
    starts, pause, deadline = 0, 0.004, time.monotonic() + place.patience
    with FileLock(place.data / "keeper.lock") as keeper:
        while time.monotonic() < deadline:
            with FileLock(place.data / "engine.lock") as engine:
                if engine.take(ALONE):
                    if starts == _STARTS:
                        raise place.failure("did not start")
                    _start(place, engine)
                    starts += 1
            if keeper.take(SHARED):
                # No keeper can start a server while we have this lock, so a server that answers now is an orphan.
                ask(place.own_address(), b"SHUTDOWN")
                keeper.drop()
            else:
                address = place.address()
                reply = ask(address, b"PING")
                if address and reply.startswith(b"+PONG"):
                    return address
                if reply.startswith(b"-LOADING"):  # much data: it may take its time
                    deadline = time.monotonic() + place.patience
            time.sleep(pause)
            pause = min(pause * 1.3, 0.05)
    raise place.failure(f"did not answer within {place.patience:.0f} s")


def _start(place: Place, engine: FileLock) -> None:
    """Start the keeper, which starts the server, and pass it the engine's lock."""
    address = place.choose_address()
    if ask(address, b"PING"):
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
