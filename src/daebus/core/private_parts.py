"""Private parts: whether the installed version of a library has the undocumented parts that daebus uses.

A newer version may change them without notice, and a pinned version could conflict with other packages. So they are
checked before use. Each package that uses such parts lists them beside the code: `daebus.http.litestar_internals`,
`daebus.server.granian_server` and `daebus.connection.redis_server`.
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
        part: Written ``module:Name.attribute``. A function that daebus calls or overrides is written with its
            parameters, except ``self``: ``module:Name.method(request, handler)``.

    Returns:
        The part; None if the installed version lacks it, or if its parameters have other names.
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
    """The parts in a list that the installed versions lack."""
    return [part for part in parts if find(part) is None]


def installed(library: str) -> str:
    """The library with its version, for messages."""
    from importlib import metadata  # noqa: PLC0415  # it loads much that a start does not need

    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return library


def require(library: str, parts: Sequence[str]) -> None:
    """Refuse a version of a library that lacks some parts.

    Raises:
        StartupError: One line names the version, the first part that is missing, and what to install.
    """
    absent = missing(parts)
    if absent:
        raise StartupError(
            f"{installed(library)} has no {absent[0].replace(':', '.')}, which daebus uses. Install the version of "
            f"{library} that this daebus was tested with, or a newer daebus: pip install --upgrade daebus."
        )
