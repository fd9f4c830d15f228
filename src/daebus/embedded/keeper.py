"""The keeper of an embedded engine: starts its server, and stops it once no process uses it any more.

A separate program, which `daebus.embedded.engine` runs by its path. It imports little (no pathlib, no typing, no
threading), so that it starts the server within 25 ms. `FileLock` is here because both sides need it.

    keeper.py ENGINE_FD DATA SOCKET keep|remove SERVER

ENGINE_FD is the descriptor of the locked ``engine.lock``. With ``keep`` the server saves to the folder DATA; with
``remove`` the folder is deleted at the end. Standard output is the log.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import signal
import sys
import time

__all__ = ["ALONE", "SHARED", "FileLock"]

STOP_TIMEOUT = 10.0  # seconds between asking the server to end and killing it
LONGEST_LOG = 1 << 20  # bytes; a longer log is begun anew
PR_SET_PDEATHSIG = 1

SHARED = fcntl.LOCK_SH
ALONE = fcntl.LOCK_EX

_open_locks: set[FileLock] = set()
_fork_guard = _thread.RLock()  # held during a fork: no child gets a descriptor that is not in _open_locks


class FileLock:
    """A `flock` on a file, released when its holder ends.

    Programs that the holder runs and children that it forks do not inherit it, so they cannot keep it locked.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with _fork_guard:
            self._fd: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _open_locks.add(self)

    @property
    def descriptor(self) -> int:
        """The file descriptor. Raises `ValueError` if the lock is closed."""
        if self._fd is None:
            raise ValueError("The lock is closed.")
        return self._fd

    def take(self, kind: int) -> bool:
        """Take the lock if it is free; return whether it was."""
        try:
            fcntl.flock(self.descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, kind: int) -> None:
        """Wait for the lock and take it."""
        fcntl.flock(self.descriptor, kind)

    def drop(self) -> None:
        """Release the lock, for every process that has its descriptor."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def release(self) -> bool:
        """Release the lock and close; return whether it was open."""
        with _fork_guard:
            if self._fd is not None:
                self.drop()  # closing is not enough where C code forked a child, which has the descriptor too
            return self.close()

    def close(self) -> bool:
        """Close the descriptor, leaving the lock to processes that inherited it; return whether it was open."""
        with _fork_guard:
            descriptor, self._fd = self._fd, None
            _open_locks.discard(self)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is not None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _forget_locks() -> None:
    """Close the parent's descriptors in a forked child."""
    _fork_guard.release()
    for lock in tuple(_open_locks):
        lock.close()


os.register_at_fork(before=_fork_guard.acquire, after_in_parent=_fork_guard.release, after_in_child=_forget_locks)


class Keeper:
    """One server, kept as long as it has users."""

    def __init__(self, binary: str, data: str, socket: str, *, remove: bool) -> None:
        self._data = data
        self._socket = socket
        self._remove = remove
        listen = ["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"]
        durability = ["no"] if remove else ["yes", "--appendfsync", "everysec"]
        self._command = [binary, *listen, "--dir", data, "--save", "", "--appendonly", *durability]
        # A server whose data is deleted needs no orderly stop, which takes it up to 0.1 s.
        self._ending = signal.SIGKILL if remove else signal.SIGTERM
        self._deserted = False
        self._server = 0

    def run(self) -> None:
        """Start the server and return when it has ended: because no user is left, or because it died."""
        keeper = FileLock(f"{self._data}/keeper.lock")
        keeper.wait(ALONE)
        members = FileLock(f"{self._data}/members.lock")
        self._server = spawn(self._command, self._ending)
        signal.signal(signal.SIGTERM, self._pass_on)
        # A thread waits for the users and this one for the server, so neither has to be interrupted.
        _thread.start_new_thread(self._end_when_deserted, (members,))
        _, status = os.waitpid(self._server, 0)
        if status != 0:  # else the server has removed its socket itself
            remove_file(self._socket)
        if self._deserted and self._remove:
            remove_tree(self._data)

    def _end_when_deserted(self, members: FileLock) -> None:
        members.wait(ALONE)
        self._deserted = True
        os.kill(self._server, self._ending)
        time.sleep(STOP_TIMEOUT)
        os.kill(self._server, signal.SIGKILL)

    def _pass_on(self, *_: object) -> None:
        os.kill(self._server, self._ending)


def spawn(command: list[str], ending: signal.Signals) -> int:
    """Start the server; on Linux the kernel stops it with this process. Returns its process id."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - takes 5 ms, and only Linux has prctl

        prctl = ctypes.CDLL(None).prctl
    keeper = os.getpid()
    server = os.fork()
    if server:
        return server
    try:
        if sys.platform == "linux":
            prctl(PR_SET_PDEATHSIG, int(ending), 0, 0, 0)
        if os.getppid() == keeper:  # else it died before the line above
            os.execv(command[0], command)  # noqa: S606 - the command is daebus's own
    except OSError as error:
        print(f"{command[0]} cannot be run: {error}", file=sys.stderr, flush=True)  # noqa: T201 - this is the log
    finally:
        os._exit(127)


def remove_file(path: str) -> None:
    """Delete a file, if there is one."""
    if os.path.lexists(path):
        os.unlink(path)


def remove_tree(folder: str) -> None:
    """Delete a folder; what cannot be deleted stays."""
    import shutil  # noqa: PLC0415 - takes 10 ms, and the server is to be up first

    shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> None:
    """Detach from the process that started this one, then keep the server."""
    engine, data, socket, fate, binary = arguments
    if os.fork():
        # The service gets no child to reap, and ending its process tree does not end the engine of other services.
        os._exit(0)
    # The service's own settings must not reach the server.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.umask(0o077)
    os.chdir(data)  # else the folder where the service was started could not be unmounted
    if os.fstat(sys.stdout.fileno()).st_size > LONGEST_LOG:
        os.ftruncate(sys.stdout.fileno(), 0)
    # The server has this lock too: while either of them lives, no other server is started on the data.
    os.set_inheritable(int(engine), True)  # noqa: FBT003 - it takes no keyword
    Keeper(binary, data, socket, remove=fate == "remove").run()
    os._exit(0)  # the thread still waits or sleeps


if __name__ == "__main__":
    main(sys.argv[1:])
