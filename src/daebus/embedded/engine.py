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
    """A place among the processes that use an embedded engine. Left by `close`, or by the end of the process.

    A forked child has no place: it joins for itself.

    Attributes:
        url: Where the server listens, as redis-py takes it: ``unix:///run/user/1000/daebus/0123456789abcdef.sock?db=0``.
        data: The folder of its data and its log.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._members, address = _join(place)
        self.url: str = f"unix://{quote(str(address))}?db=0"
        self.data: Path = place.data

    @property
    def notice(self) -> str:
        """The line to log where the engine is used: that it is in use, where its data lies, who sees it."""
        return f"Using the embedded Valkey engine, data in {self.data}; no other host sees it. {REMEDY}"

    def revive(self) -> None:
        """Start the server again if it was killed, else do nothing. It comes back at the same `url`, with its data.

        Blocks like `join_embedded`. Raises `StartupError`.
        """
        with os_errors_explained():
            # Joined anew, as the folder may have been removed, and our place with it.
            members, _ = _join(self._place)
        before, self._members = self._members, members
        if not before.release():
            self.close()  # another thread did so, meanwhile

    def close(self) -> None:
        """Leave; the last one's leaving ends the server. A private engine is gone when this returns. Idempotent."""
        if self._members.release() and self._place.private:
            self._place.wait_until_removed()


def join_embedded(folder: Path | None = None, *, private: bool = False, patience: float = PATIENCE) -> EmbeddedEngine:
    """Join the engine of a project, starting it where it does not run; returns when the server answers.

    Blocks for some 2 ms, or 80 ms where the server is started.

    Args:
        folder: The project's folder; by default `project_folder()`. Its data lies in ``.daebus`` within.
        private: An engine for this process alone, in a temporary folder, that keeps nothing; `folder` is not used.
        patience: Seconds without a sign of life after which it is given up.

    Raises:
        ConfigurationError: There is no server for this platform, or no place for its socket.
        StartupError: The server does not start (the text has the last line of its log), or the folder, or what listens
            there, is another user's.
    """
    with os_errors_explained():
        place = private_place() if private else project_place(folder or project_folder())
        return EmbeddedEngine(replace(place, patience=patience))


def engine_runs(folder: Path) -> bool:
    """Whether the engine of the project in `folder` runs. Starts and writes nothing.

    Raises:
        ConfigurationError: There is no server for this platform.
        StartupError: What runs there is another user's.
    """
    place = project_place(folder)
    if not place.data.is_dir():
        return False
    place.require_own()
    return ask(place.own_address(), b"PING") != b""


def _join(place: Place) -> tuple[FileLock, Path]:
    """Take a place among the users and see to it that the server answers. Returns the place and the address."""
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
    """Wait until the server answers, starting it where there is none. Returns its address."""
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
                # No keeper can start a server while we have this lock, so who answers now is an orphan.
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
    """Start the keeper, which starts the server, and hand it the engine's lock."""
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
