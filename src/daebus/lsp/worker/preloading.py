"""Installed modules that checks have loaded are loaded in the nursery, so that the next checks find them there."""

from __future__ import annotations

import importlib
import importlib.abc
import os
import sys
import sysconfig
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType

from typing_extensions import override

from daebus.checking.contracts import is_installed
from daebus.mistakes.places import is_inside

__all__ = ["installed_since", "preload"]

_STANDARD = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))


def installed_since(known: Collection[str]) -> list[str]:
    """The installed modules that this process has loaded, without those that were known.

    None, if any code has started a thread: a process with threads cannot be forked safely, and one of these modules may
    start it.
    """
    if _count_threads() > 1:
        return []
    return [name for name, module in list(sys.modules.items()) if name not in known and _is_installed(name, module)]


def _count_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # also those that C has started
    except OSError:
        return threading.active_count()


def _is_installed(name: str, module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    is_named = getattr(module, "__name__", None) == name  # `os.path` is another name of `posixpath`
    return is_named and isinstance(file, str) and (is_installed(file) or is_inside(file) or file.startswith(_STANDARD))


def preload(names: Sequence[str]) -> None:
    """Load modules, and no others: none of the workspace, whose code changes."""
    only = _Only(names)
    sys.meta_path.insert(0, only)
    try:
        for name in names:
            with suppress(Exception, SystemExit):  # it needs what only the user's code provides
                importlib.import_module(name)
    finally:
        sys.meta_path.remove(only)


class _Only(importlib.abc.MetaPathFinder):
    """Refuses to find other modules than some."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._names:
            raise ModuleNotFoundError(f"{fullname} is not loaded here", name=fullname)
        return None
