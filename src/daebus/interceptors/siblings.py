"""The metrics of the workers of one service (``daebus run --workers``), which share its port.

A scrape reaches any of them, and that one answers for all: each worker tells its metrics on a Unix socket in a folder
that the supervisor has made. A worker that does not answer in time is left out.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from daebus.core.environment import WORKER_VARIABLE

__all__ = ["Siblings"]

_TIMEOUT = 1.0
_BACKLOG = 16


class Siblings:
    """This worker among its siblings.

    Args:
        index: The number of its slot.
        folder: Where the sockets are.
    """

    def __init__(self, index: int, folder: Path) -> None:
        self.index = index
        self._folder = folder

    @classmethod
    def of_environment(cls) -> Siblings | None:
        """The siblings of this process; None: it is no worker."""
        index, _, folder = os.environ.get(WORKER_VARIABLE, "").partition(":")
        return cls(int(index), Path(folder)) if folder else None

    @contextmanager
    def telling(self, tell: Callable[[], bytes]) -> Generator[None]:
        """Tell the siblings what `tell` returns, whenever they ask, from a thread of its own."""
        path = self._folder / f"{self.index}.sock"
        path.unlink(missing_ok=True)  # of the worker that had the slot before
        with closing(socket.socket(socket.AF_UNIX)) as server:
            server.bind(str(path))
            server.listen(_BACKLOG)
            thread = threading.Thread(target=_serve, args=(server, tell), name="daebus-metrics", daemon=True)
            thread.start()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)

    def ask(self) -> Mapping[int, bytes]:
        """What the others tell, by their numbers."""
        answers: dict[int, bytes] = {}
        for path in sorted(self._folder.glob("*.sock")):
            if path.stem != str(self.index):
                with suppress(OSError):
                    answers[int(path.stem)] = _ask(path)
        return answers


def _serve(server: socket.socket, tell: Callable[[], bytes]) -> None:
    with suppress(OSError):  # it is closed
        while True:
            client, _ = server.accept()
            with closing(client), suppress(OSError):
                client.settimeout(_TIMEOUT)
                client.sendall(tell())


def _ask(path: Path) -> bytes:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(_TIMEOUT)
        client.connect(str(path))
        parts: list[bytes] = []
        while part := client.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)
