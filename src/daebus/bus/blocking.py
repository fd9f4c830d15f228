"""The blocking twin of `Bus`, for ``def`` handlers, threads and scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import ClassVar, Self, TypeVar, cast, overload

from daebus.core.affinity import ThreadOnly
from daebus.core.loop_thread import LoopThread
from daebus.declare.contracts import Action, Channel, StreamAction
from daebus.declare.encodable import Encodable
from daebus.delivery.after_commit import After
from daebus.delivery.interceptors import AnyOutgoing
from daebus.protocol.limits import QUEUED_SIZE
from daebus.protocol.messages import MAX_MESSAGE_SIZE

from .bus import Bus
from .open_bus import DEFAULT_TIMEOUT, MAX_QUEUED

__all__ = ["BlockingBus", "BlockingTwin"]

In = TypeVar("In", bound=Encodable)
Out = TypeVar("Out", bound=Encodable)
Event = TypeVar("Event", bound=Encodable)


class BlockingBus(ThreadOnly):
    """`Bus` for code that blocks: the same calls, without ``await``, from any thread.

    In ``def`` handlers and threads it is the service ``blocking_bus``; in scripts
    ``with BlockingBus(url) as bus:``. Arguments and errors are those of `Bus`.
    """

    __twin__: ClassVar[str] = "bus"

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_queued: int = MAX_QUEUED,
        max_queued_size: int = QUEUED_SIZE,
        max_message_size: int = MAX_MESSAGE_SIZE,
        legacy: bool | None = None,
        interceptors: Sequence[AnyOutgoing] = (),
    ) -> None:
        self._bus = Bus(
            url,
            timeout=timeout,
            max_queued=max_queued,
            max_queued_size=max_queued_size,
            max_message_size=max_message_size,
            legacy=legacy,
            interceptors=interceptors,
        )
        self._loop = LoopThread()

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
        headers: Mapping[str, str] | None = None,
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
        headers: Mapping[str, str] | None = None,
    ) -> Out: ...
    def call(
        self,
        action: Action[In, Out],
        payload: In | None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Out:
        """Send a request, and wait for the reply; see `Bus.call`."""
        asked = cast("Action[Encodable, Out]", action)
        calling = self._bus.call(
            asked, payload, service=service, timeout=timeout, idempotency_key=idempotency_key, headers=headers
        )
        return self._loop.wait_for(calling)

    @overload
    def stream(
        self,
        action: StreamAction[In, Out],
        payload: In,
        *,
        service: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Out]: ...
    @overload
    def stream(
        self,
        action: StreamAction[None, Out],
        payload: None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Out]: ...
    def stream(
        self,
        action: StreamAction[In, Out],
        payload: In | None = None,
        *,
        service: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Out]:
        """Send a request, and iterate over the replies; see `Bus.stream`."""
        asked = cast("StreamAction[Encodable, Out]", action)
        replies = _Replies(self._bus.stream(asked, payload, service=service, timeout=timeout, headers=headers))
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
        action: Action[In, Encodable],
        payload: In,
        *,
        service: str | None = None,
        idempotency_key: str | None = None,
        after: After = None,
        headers: Mapping[str, str] | None = None,
    ) -> None: ...
    @overload
    def send(
        self,
        action: Action[None, Encodable],
        payload: None = None,
        *,
        service: str | None = None,
        idempotency_key: str | None = None,
        after: After = None,
        headers: Mapping[str, str] | None = None,
    ) -> None: ...
    def send(
        self,
        action: Action[In, Encodable],
        payload: In | None = None,
        *,
        service: str | None = None,
        idempotency_key: str | None = None,
        after: After = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Queue a request that wants no reply; see `Bus.send`."""
        asked = cast("Action[Encodable, Encodable]", action)
        sending = self._bus.send(
            asked, payload, service=service, idempotency_key=idempotency_key, after=after, headers=headers
        )
        self._loop.wait_for(sending)

    def publish(
        self,
        channel: Channel[Event],
        event: Event,
        *,
        after: After = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish an event to all listeners of a channel; see `Bus.publish`."""
        self._loop.wait_for(self._bus.publish(channel, event, after=after, headers=headers))


class BlockingTwin(BlockingBus):
    """The blocking twin of a bus that is open in another thread's loop."""

    def __init__(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._bus = bus
        self._loop = LoopThread(loop)


class _Replies:
    """An async generator that is iterated from another thread. Each step runs in a task that ends with the step."""

    def __init__(self, replies: AsyncGenerator[object]) -> None:
        self._replies = replies
        self.end = object()

    async def next(self) -> object:
        return await anext(self._replies, self.end)

    async def close(self) -> None:
        await self._replies.aclose()
