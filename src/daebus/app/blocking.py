"""The blocking twins of `Bus` and `Clients`, for ``def`` handlers, threads and scripts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import ClassVar, Literal, Self, TypeVar, cast, overload

from daebus.core.affinity import ThreadOnly
from daebus.core.contracts import Action, Channel, Message, StreamAction
from daebus.core.errors import DaebusError
from daebus.core.forks import Home
from daebus.transports.bus import DEFAULT_TIMEOUT, Bus
from daebus.transports.clients import Clients
from daebus.wiring.after_commit import After

__all__ = ["BlockingBus", "BlockingClients", "BlockingTwin"]

In = TypeVar("In")
Out = TypeVar("Out")
Event = TypeVar("Event")
Data = TypeVar("Data")
T = TypeVar("T")


class _Loop:
    """An event loop in another thread, and how to wait for it from this one."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._thread: threading.Thread | None = None
        self._home = Home()

    @property
    def is_here(self) -> bool:
        """Whether it runs in this process, and not in one from which this was forked."""
        return self._home.is_here

    def open(self) -> None:
        """Run an event loop in a thread of its own."""
        self._home = Home()
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="daebus-bus", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and close the event loop that `open` made."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def wait_for(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine in the loop, with the context variables of this thread, and wait for its result."""
        loop = self._loop
        problem = None
        if loop is not None and not self._home.is_here:
            coroutine.close()
            self._home.require()
        if loop is None:
            problem = "The bus is not open: use `with BlockingBus(url) as bus:`."
        elif asyncio._get_running_loop() is loop:  # noqa: SLF001
            problem = "A blocking call on the event loop would never end: ask for `bus` in `async def` handlers."
        if loop is None or problem is not None:
            coroutine.close()
            raise DaebusError(problem)
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


class BlockingBus(ThreadOnly):
    """`Bus` for code that blocks: the same calls, without ``await``, from any thread.

    In ``def`` handlers and threads it is the service ``blocking_bus``; in scripts
    ``with BlockingBus(url) as bus:``. Arguments and errors are those of `Bus`.
    """

    __twin__: ClassVar[str] = "bus"

    def __init__(self, url: str | None = None, *, timeout: float = DEFAULT_TIMEOUT, legacy: bool | None = None) -> None:
        self._bus = Bus(url, timeout=timeout, legacy=legacy)
        self._loop = _Loop()

    def __enter__(self) -> Self:
        self._loop.open()
        try:
            self._loop.wait_for(self._bus.__aenter__())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop.is_here:  # what was opened before a fork is closed where it was opened
            self._loop.wait_for(self._bus.__aexit__())
            self._loop.close()

    @overload
    def call(
        self,
        action: Action[In, Out],
        payload: In,
        *,
        service: str | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Out: ...
    @overload
    def call(
        self,
        action: Action[None, Out],
        payload: None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Out: ...
    def call(
        self,
        action: Action[In, Out],
        payload: In | None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Out:
        """Ask, and wait for the reply; see `Bus.call`."""
        asked = cast("Action[object, Out]", action)
        return self._loop.wait_for(
            self._bus.call(asked, payload, service=service, timeout=timeout, idempotency_key=idempotency_key)
        )

    @overload
    def stream(
        self, action: StreamAction[In, Out], payload: In, *, service: str | None = None, timeout: float | None = None
    ) -> Generator[Out]: ...
    @overload
    def stream(
        self,
        action: StreamAction[None, Out],
        payload: None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
    ) -> Generator[Out]: ...
    def stream(
        self,
        action: StreamAction[In, Out],
        payload: In | None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
    ) -> Generator[Out]:
        """Ask, and iterate over the replies; see `Bus.stream`."""
        asked = cast("StreamAction[object, Out]", action)
        replies = _Replies(self._bus.stream(asked, payload, service=service, timeout=timeout))
        try:
            while True:
                item = self._loop.wait_for(replies.next())
                if item is replies.end:
                    return
                yield cast("Out", item)
        finally:
            if self._loop.is_here:
                self._loop.wait_for(replies.close())

    @overload
    def send(
        self,
        action: Action[In, object],
        payload: In,
        *,
        service: str | None = None,
        idempotency_key: str | None = None,
        after: After = None,
    ) -> None: ...
    @overload
    def send(
        self,
        action: Action[None, object],
        payload: None = None,
        *,
        service: str | None = None,
        idempotency_key: str | None = None,
        after: After = None,
    ) -> None: ...
    def send(
        self,
        action: Action[In, object],
        payload: In | None = None,
        *,
        service: str | None = None,
        idempotency_key: str | None = None,
        after: After = None,
    ) -> None:
        """Queue a request whose reply is not wanted; see `Bus.send`."""
        asked = cast("Action[object, object]", action)
        sending = self._bus.send(asked, payload, service=service, idempotency_key=idempotency_key, after=after)
        self._loop.wait_for(sending)

    def publish(self, channel: Channel[Event], event: Event, *, after: After = None) -> None:
        """Tell all listeners of a channel; see `Bus.publish`."""
        self._loop.wait_for(self._bus.publish(channel, event, after=after))


class BlockingTwin(BlockingBus):
    """The blocking twin of a bus that is open in another thread's loop."""

    def __init__(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._bus = bus
        self._loop = _Loop(loop)


class _Replies:
    """An async generator that is pulled from another thread: each step in a task that outlives no other."""

    def __init__(self, replies: AsyncGenerator[object]) -> None:
        self._replies = replies
        self.end = object()

    async def next(self) -> object:
        return await anext(self._replies, self.end)

    async def close(self) -> None:
        await self._replies.aclose()


class BlockingClients(ThreadOnly):
    """`Clients` for ``def`` handlers and threads: the service ``blocking_clients``."""

    __twin__: ClassVar[str] = "clients"

    def __init__(self, clients: Clients, loop: asyncio.AbstractEventLoop) -> None:
        self._clients = clients
        self._loop = _Loop(loop)

    def broadcast(self, message: Message[Data], data: Data, *, after: After = None) -> None:
        """Send a message to every client; see `Clients.broadcast`."""
        self._loop.wait_for(self._clients.broadcast(message, data, after=after))

    @overload
    def send(self, client_id: str, message: Message[Data], data: Data, *, after: None = None) -> bool: ...
    @overload
    def send(self, client_id: str, message: Message[Data], data: Data, *, after: Literal["commit"]) -> None: ...
    def send(self, client_id: str, message: Message[Data], data: Data, *, after: After = None) -> bool | None:
        """Send a message to one client; see `Clients.send`. Returns whether there is such a client."""
        return self._loop.wait_for(self._clients.send(client_id, message, data, after=after))

    def connected(self) -> list[str]:
        """The ids of all clients; see `Clients.connected`."""
        return self._loop.wait_for(self._clients.connected())

    def disconnect(self, client_id: str, reason: str = "") -> None:
        """Disconnect a client; see `Clients.disconnect`."""
        self._loop.wait_for(self._clients.disconnect(client_id, reason))
