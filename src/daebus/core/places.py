"""Places in the source, for messages that say where."""

from __future__ import annotations

import inspect
import os
import typing
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, MethodType
from typing import cast

__all__ = ["caller_frame", "caller_namespace", "caller_place", "place_of", "show_path", "unwrap"]

# `typing` calls the constructors of generic classes.
_INSIDE = (str(Path(__file__).parent.parent) + os.sep, typing.__file__)


def show_path(path: str) -> str:
    """The path from the current folder where it is below it, else the whole path."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path


def caller_frame() -> FrameType:
    """The innermost frame of code that is not daebus'."""
    frame = inspect.currentframe()
    assert frame is not None, "daebus needs an interpreter with stack frames"  # noqa: S101
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame = frame.f_back
    return frame


def caller_place() -> str:
    """`file:line` of the innermost code that is not daebus'."""
    frame = caller_frame()
    return f"{show_path(frame.f_code.co_filename)}:{frame.f_lineno}"


def caller_namespace() -> Mapping[str, object] | None:
    """The local names of a function that defines handlers, which its annotations may mean; None at module level."""
    frame = caller_frame()
    return None if frame.f_locals is frame.f_globals else frame.f_locals


def unwrap(function: Callable[..., object]) -> Callable[..., object]:
    """The function that decorators and partial applications stand for."""
    inner: object = function
    while inner is not None:
        function = cast("Callable[..., object]", inner)
        if isinstance(inner, MethodType):
            inner = inner.__func__
        elif isinstance(inner, partial):
            inner = cast("partial[object]", inner).func
        else:
            # Providers answer every attribute, `__wrapped__` too: only what is really there counts.
            inner = inspect.getattr_static(inner, "__wrapped__", None)
    return function


def place_of(function: Callable[..., object]) -> str:
    """`file:line` where a function is defined."""
    code = getattr(unwrap(function), "__code__", None)
    if not isinstance(code, CodeType):
        return str(getattr(function, "__module__", None) or "?")
    return f"{show_path(code.co_filename)}:{code.co_firstlineno}"
