"""The last check of each app on disk, so that an editor that starts again knows the wiring before the first check."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import msgspec

from daebus.checking.snapshot import Snapshot

from .targets import Target

__all__ = ["Cache", "is_changed"]

_DAYS = 30
"""How long a check is kept that no editor reads."""


class _Kept(msgspec.Struct, frozen=True):
    """A snapshot, and when each of its files was changed, in ns, with its size."""

    files: Mapping[str, tuple[int, int]]
    snapshot: Snapshot


_decode = msgspec.json.Decoder(_Kept).decode


class Cache:
    """Keeps what the last complete check of each app has found.

    A snapshot is read again only if all files of the workspace that the app imports are as they were. What cannot be
    read or written costs time and nothing else.

    Args:
        folder: Where files are kept; default: ``daebus/lsp`` below ``$XDG_CACHE_HOME``, which is ``~/.cache``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self._folder = folder or Path(root, "daebus", "lsp")
        self._kept: dict[Target, Mapping[str, tuple[int, int]]] = {}

    def read(self, target: Target) -> Snapshot | None:
        """The snapshot of an app whose files are as they were; None: there is none."""
        path = self._path(target)
        with suppress(OSError, msgspec.MsgspecError):
            kept = _decode(path.read_bytes())
            if kept.files == _states(kept.snapshot):
                os.utime(path)
                self._kept[target] = kept.files
                return kept.snapshot
        return None

    def write(self, target: Target, snapshot: Snapshot, since: int) -> None:
        """Keep the snapshot of an app that was checked as it is on disk.

        Args:
            target: The app.
            snapshot: What was found.
            since: When its check began, in ns. If a file was changed later, nothing is kept.
        """
        with suppress(OSError):
            files = _states(snapshot)
            if self._kept.get(target) == files or is_changed(snapshot, since):
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._path(target)
            written = path.with_suffix(f".{os.getpid()}")
            written.write_bytes(msgspec.json.encode(_Kept(files, snapshot)))
            written.replace(path)
            self._kept[target] = files

    def clean(self) -> None:
        """Delete what no editor has read for a month."""
        oldest = time.time() - _DAYS * 86_400
        with suppress(OSError):
            for path in self._folder.iterdir():
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()

    def _path(self, target: Target) -> Path:
        key = msgspec.json.encode((version("daebus"), sys.executable, target))
        return self._folder / f"{hashlib.sha256(key).hexdigest()[:32]}.json"


def is_changed(snapshot: Snapshot, since: int) -> bool:
    """Whether a file of a snapshot was changed or is gone since a time, in ns."""
    try:
        return any(changed >= since for changed, _ in _states(snapshot).values())
    except OSError:
        return True


def _states(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """When each file of a snapshot was changed, and its size. Raises `OSError`, if one is gone."""
    states = {path: os.stat(path) for path in snapshot.modules}
    return {path: (state.st_mtime_ns, state.st_size) for path, state in states.items()}
