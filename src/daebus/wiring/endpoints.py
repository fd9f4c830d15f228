"""An endpoint: one handler, compiled at registration into all that a message needs to reach it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast

import msgspec

from daebus.core.context import Context
from daebus.core.signatures import Signature

from .injection import Injection

__all__ = ["Endpoint", "Incoming", "OwnThread", "WorkerPool", "Workers"]

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Workers(Protocol):
    """Where the functions of ``def`` handlers run."""

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function off the event loop, with the context variables of the caller."""
        ...


class WorkerPool:
    """The bounded pool of threads in which ``def`` handlers run.

    Args:
        limit: How many run at once at most.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a thread of the pool."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.limit, thread_name_prefix="daebus-worker")
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, function)

    def close(self) -> None:
        """Let the threads end; those that run go on to their end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None


class OwnThread:
    """A new thread for each run. It does not keep the process alive.

    Args:
        name: The name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a new thread."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()

        def tell(result: T | None, error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(cast("T", result))
            else:
                done.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = context.run(function)
            except BaseException as raised:  # it is raised again where the thread is awaited
                error = raised
            # A loop that is closed no longer waits for the thread.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, result, error)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return await done


@dataclass(slots=True)
class Incoming:
    """A message on its way to a handler.

    Attributes:
        context: What is known about it.
        body: Its payload, still JSON; None where the transport has decoded it, or there is none.
        part: What else the transport hands over by type: the WebSocket client, the thread's switch.
        keywords: Arguments that the transport has decoded itself.
    """

    context: Context
    body: bytes | msgspec.Raw | None = None
    part: object = None
    keywords: Mapping[str, object] = field(default_factory=dict[str, object])


Take = Callable[[Incoming], object]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[R_co]):
    """A compiled handler.

    Attributes:
        title: What it is, for logs: ``action get_user``.
        signature: Of the handler.
        takes: How each parameter left of the ``*`` is taken from a message, in order.
        injection: The services right of the ``*``.
        encode: Turns what the handler returns into the reply.
        workers: Where a ``def`` handler runs.
    """

    title: str
    signature: Signature
    takes: tuple[Take, ...]
    injection: Injection
    encode: Callable[[object], R_co]
    workers: Workers
