"""Runs user code outside of a service: it must not start a service, and its errors omit our own frames."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from daebus.errors import DaebusError, StartupError

__all__ = ["is_loading", "running_user_code"]

_PACKAGE = str(Path(__file__).resolve().parent.parent)

_loading = ContextVar("loading", default=False)


@contextmanager
def running_user_code(what: str) -> Generator[None]:
    """Import or call user code, which must not start a service meanwhile.

    Args:
        what: Its title in the message.

    Raises:
        StartupError: The code failed. The text has the traceback from the user's first line on.
        DaebusError: The code raised one, which needs no traceback.
    """
    token = _loading.set(True)
    try:
        yield
    except DaebusError:
        raise
    except Exception as error:
        raise StartupError(f"{what} failed:\n{_from_users_line(error)}") from error
    finally:
        _loading.reset(token)


def is_loading() -> bool:
    """Whether user code that must not start a service runs now."""
    return _loading.get()


def _from_users_line(error: Exception) -> str:
    shown = traceback.TracebackException.from_exception(error)
    frames = list(itertools.dropwhile(_is_ours, shown.stack))
    shown.stack = traceback.StackSummary.from_list(frames)
    # A syntax error has no frame of the user; it includes its line itself.
    lines = shown.format() if frames else shown.format_exception_only()
    return "".join(lines).rstrip()


def _is_ours(frame: traceback.FrameSummary) -> bool:
    importing = "importlib" in frame.filename  # both <frozen importlib._bootstrap> and importlib/__init__.py
    return importing or frame.filename.startswith(_PACKAGE)
