"""Private parts: whether the installed version of a library has what daebus uses beyond its documented interface.

A newer version may change it without notice, and a pinned one would be in the way of whoever installs daebus beside
other packages. So it is looked for before it is used: each package that uses such parts has the list of them beside the
code, `daebus.http.litestar_internals`, `daebus.server.granian_server` and `daebus.connection.redis_server`.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import cast

from daebus.errors import StartupError

__all__ = ["find", "installed", "missing", "require"]

_MISSING = object()


def find(part: str) -> object | None:
    """Find a private part.

    Args:
        part: Written ``module:Name.attribute``; of a function that daebus calls or overrides with its parameters, but
            for ``self``: ``module:Name.method(request, handler)``.

    Returns:
        The part; None where the installed version has none, or where its parameters have other names.
    """
    path, _, parameters = part.removesuffix(")").partition("(")
    module, _, names = path.partition(":")
    try:
        found: object = import_module(module)
    except ImportError:
        return None
    for name in names.split("."):
        found = getattr(found, name, _MISSING)
        if found is _MISSING:
            return None
    return found if not parameters or _parameters(found) == parameters else None


def _parameters(function: object) -> str:
    try:
        names = inspect.signature(cast("type", function)).parameters
    except (TypeError, ValueError):
        return ""
    return ", ".join(name for name in names if name != "self")


def missing(parts: Sequence[str]) -> list[str]:
    """Those of some parts that the installed versions do not have."""
    return [part for part in parts if find(part) is None]


def installed(library: str) -> str:
    """The library with its version, for messages."""
    from importlib import metadata  # noqa: PLC0415  # it loads much that a start does not need

    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return library


def require(library: str, parts: Sequence[str]) -> None:
    """Refuse a version of a library that does not have some parts.

    Raises:
        StartupError: One line names the version, the first part that is missing, and what to install.
    """
    absent = missing(parts)
    if absent:
        raise StartupError(
            f"{installed(library)} has no {absent[0].replace(':', '.')}, which daebus uses. Install the version of "
            f"{library} that this daebus was tested with, or a newer daebus: pip install --upgrade daebus."
        )
