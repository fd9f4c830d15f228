"""Finds the apps of a workspace: those that pyproject.toml names, or else those that the code defines."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

__all__ = ["Target", "defined_apps", "find_targets"]

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "build", "dist"}
_TESTS = {"tests", "test"}
_APP = re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?Daebus(?:\[[^\n]*\])?\(", re.MULTILINE)
_RUN = re.compile(r"\.run\(\s*(?:service\s*=\s*)?[\"']([^\"'\n]+)[\"']")
_MOST = 200


class Target(msgspec.Struct, frozen=True):
    """An app of the workspace.

    Attributes:
        root: The folder in which it is imported.
        name: The app, as for ``daebus check``.
        service: The name under which it is served, as far as the code says.
        source: The file that names or defines it.
    """

    root: str
    name: str
    service: str | None
    source: str


class _Section(msgspec.Struct, frozen=True):
    app: str | tuple[str, ...] = ()


class _Tool(msgspec.Struct, frozen=True):
    daebus: _Section = _Section()


class _Project(msgspec.Struct, frozen=True):
    tool: _Tool = _Tool()


def find_targets(folders: Iterable[str]) -> list[Target]:
    """The apps below some folders.

    A project whose pyproject.toml has ``[tool.daebus] app = ...`` has these apps alone. Otherwise each ``app =
    Daebus(...)`` at the top level of a module counts, except in folders of tests.
    """
    found: list[Target] = []
    for folder in folders:
        files = list(_files(folder, ("pyproject.toml", ".py")))
        projects = [path for path in files if path.endswith("pyproject.toml")]
        named = {os.path.dirname(path): list(_named(path)) for path in projects}
        named = {root: targets for root, targets in named.items() if targets}
        found.extend(target for targets in named.values() for target in targets)
        roots = [os.path.dirname(path) for path in projects] or [folder]
        for path in files:
            if path.endswith(".py") and not _is_below(path, named) and _TESTS.isdisjoint(Path(path).parts):
                root = max((root for root in roots if _is_below(path, [root])), key=len, default=folder)
                found.extend(_defined(path, root))
    return list(dict.fromkeys(found))[:_MOST]


def _files(folder: str, endings: tuple[str, ...]) -> Iterator[str]:
    for root, inner, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            inner.clear()
            continue
        inner[:] = sorted(name for name in inner if name not in _SKIPPED and not name.startswith("."))
        yield from (os.path.join(root, name) for name in sorted(files) if name.endswith(endings))


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(folder + os.sep) for folder in folders)


def _named(path: str) -> Iterator[Target]:
    try:
        apps = msgspec.convert(tomllib.loads(Path(path).read_text()), _Project).tool.daebus.app
    except (OSError, ValueError):  # it is being written, or it is not ours
        return
    for app in [apps] if isinstance(apps, str) else apps:
        root = os.path.dirname(path)
        source, _, _ = app.rpartition(":") if ":" in app else (app, "", "")
        file = Path(root, source if source.endswith(".py") else source.replace(".", os.sep) + ".py")
        text = file.read_text() if file.is_file() else ""
        yield Target(root, app, _service(text), str(file) if text else path)


def _defined(path: str, root: str) -> Iterator[Target]:
    try:
        text = Path(path).read_text()
    except (OSError, ValueError):
        return
    for name, service in defined_apps(text):
        yield Target(root, f"{os.path.relpath(path, root)}:{name}", service, path)


def defined_apps(text: str) -> list[tuple[str, str | None]]:
    """The apps that a module defines at its top level: the name of each, and the name under which it is served."""
    return [(name, _service(text)) for name in _APP.findall(text)] if "Daebus" in text else []


def _service(text: str) -> str | None:
    """The name that ``app.run(service=...)`` gives."""
    found = _RUN.search(text)
    return found[1] if found else None
