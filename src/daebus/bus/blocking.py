"""The blocking twin of `Bus`, for ``def`` handlers, threads and scripts."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar, Self, TypeVar, cast, overload

from daebus.core.loop_thread import LoopThread
from daebus.declare.contracts import Action, Channel, StreamAction
from daebus.delivery.after_commit import After
from daebus.delivery.interceptors import AnyOutgoing
from daebus.payloads.encodable import Encodable
from daebus.protocol.limits import QUEUED_SIZE
from daebus.protocol.messages import MAX_MESSAGE_SIZE

from .blocking_replies import BlockingFollowing, BlockingReplies
from .bus import Bus
from .open_bus import DEFAULT_TIMEOUT, MAX_QUEUED

__all__ = ["BlockingBus"]

In = TypeVar("In", bound=Encodable)
Out = TypeVar("Out", bound=Encodable)
Event = TypeVar("Event", bound=Encodable)


class BlockingBus(BlockingFollowing):
    """`Bus` for code that blocks: the same calls, without ``await``, from any thread.

    In ``def`` handlers and threads it is the service ``blocking_bus``; in scripts
    ``with BlockingBus(url) as bus:``.

    Args:
        url: URL of the Redis or Valkey server; default: DAEBUS_REDIS_URL, else the project's embedded engine.
        timeout: Default timeout of calls in seconds: enough for another instance to answer if the first one is killed.
        max_queued: How many unhandled requests of one action `send` queues at most, in each partition of the service.
        max_queued_size: About how many bytes of the server's memory they may take.
        max_message_size: The largest payload or event in bytes; more raises `TooLarge`.
        legacy: Whether services of daebus 0.0.31 are called, too (docs/migration.md); default: as DAEBUS_LEGACY says.
        interceptors: Interceptors of everything that it sends, the first outermost; see `daebus.interceptors`.
        check_contracts: Whether a warning is logged for each contract in the imported modules that is outdated.

    Raises:
        ConfigurationError: The URL, or DAEBUS_LEGACY, is wrong; it is not open, or was opened before a fork.
        StartupError: When it is opened: the server cannot be reached, or refuses.
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
        check_contracts: bool = False,
    ) -> None:
        self._bus = Bus(
            url,
            timeout=timeout,
            max_queued=max_queued,
            max_queued_size=max_queued_size,
            max_message_size=max_message_size,
            legacy=legacy,
            interceptors=interceptors,
            check_contracts=check_contracts,
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
        """Send a request, and wait for the reply.

        Args:
            action: A contract, or a decorated handler.
            payload: The payload that the action takes; nothing if it takes None.
            service: The service to ask; default: the contract's service, else the calling service.
            timeout: Seconds to wait, limited by the deadline of the calling handler.
            idempotency_key: Such as ``order-17``: requests for the action with the same key and payload run once, and
                all get the same reply. Later requests do too, for as long as the action says (``keep_replies``). A run
                that fails unexpectedly, or because another service is missing, does not count.
            headers: Further data for the handler, in `Context.headers`; at most 64, of 16 KiB. `traceparent`,
                `tracestate`, `baggage` and `x-request-id` of the message that is being handled are added.

        Raises:
            Timeout: No reply came in time.
            Conflict: The idempotency key was used with another payload.
            ConfigurationError: A header is wrong; or there is a key, and the service runs daebus 0.0.31, without keys.
            TooLarge: The payload is too large.
            BadRequest: The payload contains itself or is not what the action takes, or the key is too long.
            BadReply: The reply does not match the contract.
            NoSuchService: No instance serves the service.
            NoSuchAction: No live instance of it has the action.
            Unavailable: The server cannot be reached.
            ServiceError: The error that the handler raised, with its class, code, message and details.
        """
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
        """Send a request, and iterate over the replies. Leaving the iteration early stops the handler.

        The reply of an action that does not stream counts as a stream of one item, and null as an empty stream.

        Args:
            action: A contract, or a decorated handler that is an async generator.
            payload: The payload that the action takes; nothing if it takes None.
            service: The service to ask; default: the contract's service, else the calling service.
            timeout: Seconds for the whole stream; default: no limit but the calling handler's deadline.
            headers: Further data for the handler, see `call`.

        Raises:
            Timeout: The stream did not end in time.
            Unavailable: The server cannot be reached; nothing arrived for 20 s; or an item was lost or came again.
            ServiceError: An error of the handler or of the request, see `call`.
        """
        asked = cast("StreamAction[Encodable, Out]", action)
        replies = BlockingReplies(self._bus.stream(asked, payload, service=service, timeout=timeout, headers=headers))
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
        """Queue a request that wants no reply. It is kept until it was handled, also while no instance serves it.

        If the service runs and no live instance of it has the action, the request waits for one, and the log warns,
        with the name that was probably meant. An instance that starts warns of waiting requests that no instance
        serves. If the handler fails, the request is retried or becomes a dead letter, as its decorator says.

        Args:
            action: A contract, or a decorated handler.
            payload: The payload that the action takes; nothing if it takes None.
            service: The service that gets it; default: the contract's service, else the calling service.
            idempotency_key: A request is not handled if another one with the same key was; see `call`.
            after: When to send it, see `publish`.
            headers: Further data for the handler, see `call`.

        Raises:
            ConfigurationError: A header is wrong; or there is a key, and the service runs daebus 0.0.31, without keys.
            TooManyRequests: The queue of the action is full.
            TooLarge: The payload is too large.
            BadRequest: The payload contains itself, or the key is too long.
            Unavailable: The server cannot be reached.
        """
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
        """Publish an event to all listeners of a channel. Durable channels keep the event until each has handled it.

        Args:
            channel: The channel.
            event: The event.
            after: None: publish at once. ``"commit"``: publish once the message that is being handled has succeeded:
                the handler has returned, and its per-message objects were closed without error. The event leaves before
                the reply, in order with other sends that wait for the commit. If the handler or the closing fails, it
                is not sent. If the server is away, an event of a durable channel is retried for 10 s and accepted once;
                one of a plain channel is retried only if there was no connection. If that fails too, the message fails
                with `Unavailable` although its work is kept, and the log names what was not sent. Callers may then call
                again, and sends and durable events are handled again, so the handler must tolerate a repeat.
            headers: Further data for the listeners, see `call`.

        Raises:
            ConfigurationError: A header is wrong; or it is to wait for a commit, and no message is being handled.
            TooLarge: The event is too large.
            BadRequest: The event contains itself.
            Unavailable: The server cannot be reached.
        """
        self._loop.wait_for(self._bus.publish(channel, event, after=after, headers=headers))
