"""``python server.py DESCRIPTOR``: loads libraries, and forks a process for each request on a socket."""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType

LIBRARIES = (
    "anyio",
    "asyncio",
    "click",
    "cronsim",
    "dependency_injector.containers",
    "dependency_injector.providers",
    "granian.server.embed",
    "httpx",
    "litestar",
    "redis.asyncio",
    "structlog",
    "uvloop",
    "watchfiles",
    "websockets.asyncio.client",
)


def serve(control: socket.socket) -> tuple[socket.socket, list[int]] | None:
    """Fork a process for each request, and tell its id and how it ends; None: nobody asks any more.

    In the new process: its own connection to who has asked, and the descriptors that it is to use.
    """
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, wake_up)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            reap(running)
        if control not in ready:
            continue
        asked, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not asked:
            return None
        status = socket.socket(fileno=descriptors.pop())
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for each in (control, woken, wake, *running.values()):
                each.close()
            return status, descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        running[pid] = status
        tell(status, pid)


def wake_up(number: int, frame: FrameType | None, /) -> None:
    """Does nothing: that there is a handler has Python write to the socket that `serve` reads."""


def reap(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as connection:
            tell(connection, os.waitstatus_to_exitcode(status))


def tell(connection: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # who has asked does not wait for it
        connection.sendall(b"%d\n" % number)


def become(status: socket.socket, descriptors: list[int]) -> list[str]:
    """Take over descriptors, folder and environment. Returns the command line behind ``python``."""
    with status, status.makefile("rb") as request:
        arguments, folder, environment = json.loads(request.readline())
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.orig_argv = [sys.executable, *arguments]
    return list(arguments)


def prepare(arguments: list[str]) -> tuple[CodeType, ModuleType]:
    """The program of a command line, and the module in which it runs, as Python itself makes them."""
    main = ModuleType("__main__")
    option, *others = arguments
    if option == "-c":
        sys.argv, sys.path[0] = ["-c", *others[1:]], ""
        return compile(others[0], "<string>", "exec"), main
    if option == "-m":
        sys.path[0] = str(Path.cwd())
        spec = find_spec(others[0])
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f"{others[0]}.__main__")
        assert spec is not None
        assert isinstance(spec.loader, SourceFileLoader)
        main.__spec__, main.__package__ = spec, spec.parent
        path, code = str(spec.origin), spec.loader.get_code(spec.name)
        assert code is not None
        sys.argv = [path, *others[1:]]
    else:
        path = str(Path(option).absolute())
        sys.argv, sys.path[0] = arguments, str(Path(path).resolve().parent)
        code = compile(Path(path).read_bytes(), path, "exec")
    main.__file__ = path
    return code, main


def without_this(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the lines of this file."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def run(arguments: list[str]) -> None:
    code, main = prepare(arguments)
    sys.modules["__main__"] = main
    try:
        exec(code, main.__dict__)
    except Exception as error:
        shown = without_this(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(shown), shown)
        sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with who has started it
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()
    forked = serve(socket.socket(fileno=int(sys.argv[1])))
    if forked is not None:
        run(become(*forked))
