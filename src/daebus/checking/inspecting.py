"""An inspection: an app is imported, with the text of an editor laid over its files, examined and described."""

from __future__ import annotations

import importlib.machinery
import io
import linecache
import os
import sys
import time
from collections.abc import Mapping
from functools import cache

from daebus.errors import StartupError

from .collecting import collect
from .examination import Examined, examine
from .snapshot import Inspection, Snapshot

__all__ = ["inspect_app"]


def inspect_app(ordered: Inspection) -> Snapshot:
    """The result of a check; this process can be used for nothing else afterwards."""
    os.chdir(ordered.root)
    sys.argv = [ordered.target]
    _lay_over(ordered.buffers)
    return collect(_examine(ordered), ordered.folders)


def _examine(ordered: Inspection) -> Examined:
    try:
        try:
            return examine(ordered.target, ordered.service)
        except (SystemExit, KeyboardInterrupt) as error:
            raise StartupError(f"The import of {ordered.target} ends the process: {error!r}") from error
    except StartupError as failure:
        return Examined(None, (), failure)


def _lay_over(buffers: Mapping[str, str]) -> None:
    """Import the text of buffers instead of their files, from now on; places in messages are found in it, too."""
    texts = {_same(path): text for path, text in buffers.items() if not _is_saved(path, text)}
    if not texts:
        return
    for path, text in texts.items():
        linecache.cache[path] = (len(text), None, io.StringIO(text).readlines(), path)
    read, stats = importlib.machinery.SourceFileLoader.get_data, importlib.machinery.SourceFileLoader.path_stats

    def get_data(self: importlib.machinery.SourceFileLoader, path: str) -> bytes:
        text = texts.get(_same(path))
        return read(self, path) if text is None else text.encode()

    def path_stats(self: importlib.machinery.SourceFileLoader, path: str) -> Mapping[str, object]:
        if _same(path) in texts:
            raise OSError(f"{path} is laid over, so that no compiled file is valid")
        return stats(self, path)

    # The loader has no hook for this, and the process ends after the check.
    setattr(importlib.machinery.SourceFileLoader, "get_data", get_data)  # noqa: B010
    setattr(importlib.machinery.SourceFileLoader, "path_stats", path_stats)  # noqa: B010


def _is_saved(path: str, text: str) -> bool:
    """Whether a buffer has the text of its file, and the file is so old that its compiled form is certainly its own."""
    try:
        with open(path, "rb") as file:
            # Python compares the times of files in whole seconds.
            return os.fstat(file.fileno()).st_mtime < time.time() - 2 and file.read() == text.encode()
    except OSError:
        return False


@cache
def _same(path: str) -> str:
    return os.path.realpath(path) if os.path.isabs(path) else path
