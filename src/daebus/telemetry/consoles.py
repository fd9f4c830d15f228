"""Log lines for people, which are safe to print: content from the wire cannot control the terminal."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TextIO, TypeAlias

import structlog

from daebus.mistakes.terminal import visible

__all__ = ["Render", "TracebackInfo", "pretty_renderer", "safe_repr", "safe_text"]

TracebackInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
Render: TypeAlias = Callable[[dict[str, object], TracebackInfo | None], str]

_LONG = ("event", "exception", "stack")


def pretty_renderer(*, colors: bool) -> Render:
    """The renderer that turns the fields of a line into text for people.

    Args:
        colors: Whether it may be coloured; the environment's NO_COLOR forbids that.
    """
    colors = colors and not os.environ.get("NO_COLOR")
    rich = colors and importlib.util.find_spec("rich") is not None
    # Local variables would fill the screen, and may contain secrets.
    write: structlog.typing.ExceptionRenderer = (
        structlog.dev.RichTracebackFormatter(show_locals=False) if rich else structlog.dev.plain_traceback
    )

    def write_traceback(stream: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
        text = io.StringIO()
        write(text, exc_info)
        stream.write(visible(text.getvalue(), lines=True, coloured=rich))

    console = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=write_traceback)
    return lambda fields, exc_info: console(None, "", {**_shown(fields), "exc_info": exc_info})


def _shown(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields for a terminal, without characters that control it."""
    return {visible(key): _shown_value(key, value) for key, value in fields.items()}


def _shown_value(key: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        return visible(safe_repr(value))
    # Further lines are indented, so that none looks like another line of the log.
    return visible(value, lines=True).replace("\n", "\n    ") if key in _LONG else visible(value)


def safe_repr(value: object) -> str:
    """The repr of any object, or the reason why it has none."""
    try:
        return safe_text(repr(value))
    except Exception:
        return f"<{type(value).__name__} without repr>"


def safe_text(text: str) -> str:
    """The text with lone surrogates, which have no UTF-8 form, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
