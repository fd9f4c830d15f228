"""The current position of tasks and threads, for the log if they block the event loop or do not end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import sysconfig
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import thread as thread_pools
from pathlib import Path
from types import AsyncGeneratorType, CodeType, FrameType, ModuleType
from typing import Literal, cast

import msgspec

from daebus.core.context import current_context
from daebus.mistakes.places import is_inside, show_path

from .endpoint import Endpoint

__all__ = [
    "Standing",
    "busy_threads",
    "in_executor",
    "is_exiting",
    "standing_of_task",
    "standing_of_thread",
]

_MOST_FRAMES = 20
_LINKS = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
_PATHS = sysconfig.get_paths()
# Not the user's own code. An environment may lie inside of a project, and the standard library's folder has both.
# Compiled libraries have relative names.
_LIBRARIES = ("<", "uvloop/", *{_PATHS[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


# In `selectors`, and the innermost Python functions of `asyncio`.
_WAITING = ("select", "run", "run_until_complete", "run_forever")


class Standing(msgspec.Struct, frozen=True):
    """The current position of a task or thread.

    Attributes:
        name: The name of the task or thread.
        handler: The title of the handler that it runs, such as ``action get_user``; None: no handler.
        at: The innermost line of the user's code, such as ``app.py:12 in wait``; without user code, of any code.
        stack: The innermost calls in the same form, the most recent one last.
        is_idle: Whether it is the thread of an idle event loop.
        is_users: Whether any of the user's code runs there.
        is_debugged: Whether a debugger holds it.
    """

    name: str
    handler: str | None
    at: str
    stack: list[str]
    is_idle: bool = False
    is_users: bool = True
    is_debugged: bool = False

    def __str__(self) -> str:
        return f"{self.handler or self.name} at {self.at}"


def standing_of_task(task: asyncio.Task[object]) -> Standing:
    """The position of a task that waits, or that runs in another thread."""
    standing = _standing(task.get_name(), _frames_of_awaited(task.get_coro()))
    if standing.handler is None and standing.is_users:
        # A library, or the handler itself, has made the task: it runs in a copy of the handler's context.
        return msgspec.structs.replace(standing, handler=_handler_of(task))
    return standing


def standing_of_thread(thread: threading.Thread) -> Standing:
    """The position of a thread."""
    return _standing(thread.name, _frames_of_thread(thread))


def is_exiting() -> bool:
    """Whether the program has ended, so that the main thread only waits for other threads, or has done so."""
    main = threading.main_thread()
    return not main.is_alive() or any(_is_of(threading, frame) for frame in _frames_of_thread(main)[:1])


def in_executor(thread: threading.Thread) -> Literal["busy", "idle"] | None:
    """Whether a thread of a `ThreadPoolExecutor` has a job; None: it is no such thread."""
    frames = _frames_of_thread(thread)
    if not any(_is_of(thread_pools, frame) for frame in frames):
        return None
    return "idle" if _is_of(thread_pools, frames[-1]) else "busy"


def busy_threads(others: Collection[threading.Thread]) -> list[Standing]:
    """The positions of threads that run a handler or keep the process alive, without the main thread and `others`."""
    found: list[Standing] = []
    for thread in threading.enumerate():
        if thread in others or thread in (threading.main_thread(), threading.current_thread()):
            continue
        standing = standing_of_thread(thread)
        if standing.handler is not None or not thread.daemon:
            found.append(standing)
    return found


def _standing(name: str, frames: Sequence[FrameType]) -> Standing:
    users = [frame for frame in frames if _is_users(frame.f_code)]
    lines = [_line(frame) for frame in frames]
    at = _line(users[-1]) if users else lines[-1] if lines else "an unknown place"
    return Standing(
        name,
        _handler_in(frames),
        at,
        lines[-_MOST_FRAMES:],
        is_users=any(_is_users(frame.f_code) for frame in _within_loop(frames)),
        is_idle=bool(frames) and _waits(frames[-1].f_code),
        is_debugged=any(_is_debugger(frame.f_code) for frame in frames),
    )


def _is_of(module: ModuleType, frame: FrameType) -> bool:
    return frame.f_code.co_filename == module.__file__


def _frames_of_thread(thread: threading.Thread) -> list[FrameType]:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return _frames_of_running(frame)


def _frames_of_running(innermost: FrameType | None) -> list[FrameType]:
    frames: list[FrameType] = []
    while innermost is not None:
        frames.append(innermost)
        innermost = innermost.f_back
    frames.reverse()
    return frames


def _frames_of_awaited(awaited: object) -> list[FrameType]:
    """The frames of a coroutine and of what it waits for, the innermost last."""
    frames: list[FrameType] = []
    while awaited is not None:
        names = next((names for names in _LINKS if hasattr(awaited, names[0])), None)
        if names is None:
            awaited = _hidden_in(awaited)
            continue
        frame: object = getattr(awaited, names[0])
        if isinstance(frame, FrameType):
            frames.append(frame)
        awaited = getattr(awaited, names[1])
    return frames


def _hidden_in(awaited: object) -> object:
    """The awaited task or async generator, which the awaiting object does not expose."""
    for one in gc.get_referents(awaited):
        if isinstance(one, asyncio.Task):
            return cast("asyncio.Task[object]", one).get_coro()
        if isinstance(one, AsyncGeneratorType):
            return cast("object", one)
    return None


def _handler_in(frames: Sequence[FrameType]) -> str | None:
    """The title of the innermost handler that is called in one of the frames of daebus."""
    for frame in reversed(frames):
        if is_inside(frame.f_code.co_filename):
            for name, value in list(frame.f_locals.items()):
                # The body of a response is sent after its handler has returned, by an object that knows the handler.
                found: object = getattr(value, "endpoint", None) if name == "self" else value
                if isinstance(found, Endpoint):
                    return cast("Endpoint[object]", found).title
    return None


def _handler_of(task: asyncio.Task[object]) -> str | None:
    """The title of the handler whose message was being handled when a task was created."""
    for one in gc.get_referents(task):  # `Task.get_context` came with Python 3.12
        if isinstance(one, contextvars.Context):
            message = one.get(current_context)
            return None if message is None else message.handler
    return None


def _is_users(code: CodeType) -> bool:
    return not (_is_library(code) or is_inside(code.co_filename))


def _is_library(code: CodeType) -> bool:
    return code.co_filename.startswith(_LIBRARIES)


def _within_loop(frames: Sequence[FrameType]) -> Sequence[FrameType]:
    """The frames below the event loop; all frames if there is no event loop among them."""
    loops = [n for n, frame in enumerate(frames) if frame.f_code.co_name in _WAITING and _is_library(frame.f_code)]
    return frames[loops[-1] :] if loops else frames


def _waits(code: CodeType) -> bool:
    """Whether it is the innermost code of an idle event loop. The code of uvloop is not Python."""
    return code.co_name in _WAITING and _is_library(code)


def _is_debugger(code: CodeType) -> bool:
    """Whether it is code of pdb, or of pydevd, which editors use."""
    return "pydevd" in code.co_filename or Path(code.co_filename).name in ("bdb.py", "pdb.py")


def _line(frame: FrameType) -> str:
    path = frame.f_code.co_filename
    shown = Path(path).name if is_inside(path) else show_path(path)
    return f"{shown}:{frame.f_lineno} in {frame.f_code.co_qualname}"
