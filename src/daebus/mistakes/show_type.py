"""Types in their usual notation, for messages."""

from __future__ import annotations

import types
import typing
from types import NoneType

__all__ = ["show_both", "show_type"]


def show_type(annotation: object) -> str:
    """An annotation in its usual notation, without modules and without the metadata of `Annotated`."""
    if annotation is NoneType:
        return "None"
    if annotation is Ellipsis:
        return "..."
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return show_type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(show_type, arguments))
    if isinstance(origin, type) and arguments and not any(isinstance(one, list) for one in arguments):
        return f"{origin.__name__}[{', '.join(map(show_type, arguments))}]"
    if isinstance(annotation, type) and not arguments:
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def show_both(one: object, other: object) -> tuple[str, str]:
    """Two annotations, with their modules if they would otherwise look the same."""
    shown = show_type(one), show_type(other)
    if shown[0] != shown[1] or one == other:
        return shown
    return _with_module(one), _with_module(other)


def _with_module(annotation: object) -> str:
    return f"{annotation.__module__}.{annotation.__qualname__}" if isinstance(annotation, type) else str(annotation)
