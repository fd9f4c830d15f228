"""Places in the source, for messages that say where."""

from __future__ import annotations

import inspect
import os
import traceback
import typing
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, MethodType
from typing import NamedTuple, Self, cast

from .sources import Span, line_of_class, span_of_attribute, span_of_call, span_of_function, span_of_line

__all__ = [
    "CallSite",
    "Place",
    "call_site",
    "caller_frame",
    "caller_namespace",
    "caller_place",
    "is_inside",
    "is_ours",
    "made_at",
    "place_of",
    "place_of_class",
    "place_of_error",
    "show_path",
    "site_of",
    "unwrap",
]

# `typing` calls the constructors of generic classes.
_INSIDE = (str(Path(__file__).parent.parent) + os.sep, typing.__file__)

Locate = Callable[[], Span | None]


class Place(str):
    """`file:line`, which can also find the exact piece of source.

    Attributes:
        path: The file, as the interpreter knows it.
        line: The line.
    """

    __slots__ = ("_locate", "line", "path")

    path: str
    line: int
    _locate: Locate

    def __new__(cls, path: str, line: int, locate: Locate) -> Self:
        """Create a place; `locate` is called when the piece of source must be shown."""
        place = super().__new__(cls, f"{show_path(path)}:{line}")
        place.path = path
        place.line = line
        place._locate = locate
        return place

    def span(self) -> Span | None:
        """The piece of source; None if it cannot be found."""
        return self._locate()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A copy in another process cannot see the code; only the text is copied.
        return str, (str(self),)


class CallSite(NamedTuple):
    """A call in the source; creating it costs almost nothing."""

    code: CodeType
    instruction: int
    line: int

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.code.co_filename, self.line, partial(span_of_call, *self))


def made_at(made: object) -> Place | None:
    """`file:line` where a contract or component was created; None for other objects and decorated handlers."""
    site = site_of(made)
    return None if site is None else site.place


def site_of(made: object) -> CallSite | None:
    """The call that created a contract or component; None for other objects and decorated handlers."""
    site: CallSite | None = getattr(made, "_site", None)
    return site


def is_ours(owner: type) -> bool:
    """Whether a class belongs to daebus, so that its source is not shown."""
    return owner.__module__.partition(".")[0] == __name__.partition(".")[0]


def is_inside(path: str) -> bool:
    """Whether a file of code belongs to daebus."""
    return path.startswith(_INSIDE)


def show_path(path: str) -> str:
    """The path relative to the current folder if it is below it, else the whole path."""
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


def call_site() -> CallSite:
    """The current call in the innermost code that is not daebus'."""
    frame = caller_frame()
    return CallSite(frame.f_code, frame.f_lasti, frame.f_lineno)


def caller_place() -> Place:
    """`file:line` of the innermost code that is not daebus'."""
    return call_site().place


def caller_namespace() -> Mapping[str, object] | None:
    """The local names of a function that defines handlers, which its annotations may mean; None at module level."""
    frame = caller_frame()
    return None if frame.f_locals is frame.f_globals else frame.f_locals


def unwrap(function: Callable[..., object]) -> Callable[..., object]:
    """The function behind decorators and partial applications."""
    inner: object = function
    while inner is not None:
        function = cast("Callable[..., object]", inner)
        if isinstance(inner, MethodType):
            inner = inner.__func__
        elif isinstance(inner, partial):
            inner = cast("partial[object]", inner).func
        else:
            # Providers have every attribute dynamically, also `__wrapped__`: only a real attribute counts.
            inner = inspect.getattr_static(inner, "__wrapped__", None)
    return function


def place_of(function: Callable[..., object], part: str | None = None, *, site: CallSite | None = None) -> str:
    """`file:line` where a function is defined; a `Place`, unless it is not written in Python.

    Args:
        function: The function.
        part: What to point at: the name of a parameter, or ``return``; None: the function's name.
        site: Another place to point at instead, such as the call of its decorator.
    """
    code = getattr(unwrap(function), "__code__", None)
    if not isinstance(code, CodeType):
        return str(getattr(function, "__module__", None) or "?")
    locate = partial(span_of_function, code, part) if site is None else partial(span_of_call, *site)
    return Place(code.co_filename, code.co_firstlineno, locate)


def place_of_class(owner: type, attribute: str | None = None) -> str:
    """`file:line` of a class, pointing at one of its attributes; the name of its module if there is no source."""
    try:
        path = inspect.getsourcefile(owner)
    except (OSError, TypeError):
        path = None
    # Not `inspect.getsourcelines`, which parses the file each time.
    line = None if path is None else line_of_class(path, owner.__qualname__)
    if path is None or line is None:
        return owner.__module__
    return Place(path, line, partial(span_of_attribute, path, owner.__qualname__, attribute))


def place_of_error(error: BaseException) -> Place | None:
    """`file:line` of the user's innermost line that raised an error, or of a syntax error; None if there is none."""
    if isinstance(error, SyntaxError) and error.filename is not None and error.lineno is not None:
        return Place(error.filename, error.lineno, partial(span_of_line, error.filename, error.lineno))
    here = str(Path.cwd()) + os.sep
    own: Place | None = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        is_own = path.startswith(here) and f"{os.sep}site-packages{os.sep}" not in path and not is_inside(path)
        if is_own:
            own = Place(path, line, partial(span_of_line, path, line))
    return own
