"""The sandbox of one check: a process of its own, with limits, without a terminal, with the buffers of the editor."""

from __future__ import annotations

import importlib.machinery
import io
import linecache
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["enter", "lay_over"]

# After its time is over, the nursery ends the process. If the nursery itself was killed, this does.
_SPARE_SECONDS = 5.0


def enter(seconds: float, megabytes: int) -> None:
    """Limit this process, which was forked for one check.

    It leads a group of its own, so that the processes that it starts end with it. What it prints goes nowhere.

    Args:
        seconds: After this time, and some spare time, it ends by itself.
        megabytes: The limit of what it may allocate.
    """
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    os.close(silence)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + _SPARE_SECONDS)
    _limit_memory(megabytes)


def _limit_memory(megabytes: int) -> None:
    import resource  # noqa: PLC0415  # not on Windows

    limit = megabytes * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def lay_over(buffers: Mapping[str, str]) -> None:
    """Import the text of buffers instead of their files, from now on; places in messages are found in it, too."""
    texts = {_same(path): text for path, text in buffers.items()}
    for path, text in texts.items():
        linecache.cache[path] = (len(text), None, io.StringIO(text).readlines(), path)
    read, stats = importlib.machinery.SourceFileLoader.get_data, importlib.machinery.SourceFileLoader.path_stats

    def get_data(self: importlib.machinery.SourceFileLoader, path: str) -> bytes:
        text = texts.get(_same(path))
        return read(self, path) if text is None else text.encode()

    def path_stats(self: importlib.machinery.SourceFileLoader, path: str) -> Mapping[str, object]:
        if _same(path) in texts:
            raise OSError(f"{path} is in the editor, so that no compiled file is valid")
        return stats(self, path)

    # The loader has no hook for this, and the process ends after the check.
    setattr(importlib.machinery.SourceFileLoader, "get_data", get_data)  # noqa: B010
    setattr(importlib.machinery.SourceFileLoader, "path_stats", path_stats)  # noqa: B010


def _same(path: str) -> str:
    return str(Path(path).resolve()) if os.path.isabs(path) else path  # `Path` is slow here
