"""Serving actions: from an entry of a stream to the reply."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import cast

import msgspec

from daebus.core.codec import encode
from daebus.core.context import Context
from daebus.core.errors import Timeout, Unavailable
from daebus.core.logs import Logger
from daebus.core.messages import Reply, Request, action_stream, cancel_channel, dead_letters, instance_registry
from daebus.wiring.dispatch import dispatch, dispatch_stream, failure
from daebus.wiring.endpoints import Endpoint, Incoming

from .leases import Entry, Lease
from .node import Node
from .replies import ALIVE, SUCCESS, failed_reply
from .streams import GroupReader, Handle, Lane, settle

__all__ = ["ActionServer", "ServedAction"]

GROUP = "daebus"
"""The consumer group of every action's stream."""

MAX_DELIVERIES = 5
"""How often an entry is given to an instance, each of which died, before it goes to the dead letters."""

_ALIVE_SECONDS = 5.0
_MAX_DEAD = 100_000

_decode = msgspec.json.Decoder(Request).decode

NULL = msgspec.Raw(b"null")


class _ReaderGoneError(Exception):
    """Nobody hears the stream any more."""


@dataclass(frozen=True, slots=True)
class ServedAction:
    """An action and its handler; `concurrency` is how many requests are handled at once."""

    name: str
    endpoint: Endpoint[bytes]
    concurrency: int


class ActionServer:
    """Serves the actions of one service in this process.

    Args:
        node: This process.
        service: The service's name.
        actions: What it serves.
        lease: The heartbeat of this process.
        logger: For what goes wrong.
    """

    def __init__(self, node: Node, service: str, actions: Sequence[ServedAction], lease: Lease, logger: Logger) -> None:
        self._node = node
        self._service = service
        self._logger = logger
        self._running: dict[str, asyncio.Task[None]] = {}
        self._unwanted: set[str] = set()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        # One reader for each limit: a read takes the same number of entries from each of its streams.
        by_limit: dict[int, list[Lane]] = defaultdict(list)
        for action in actions:
            lane = Lane(action_stream(service, action.name), action.concurrency, self._handler_of(action))
            by_limit[action.concurrency].append(lane)
        self._readers = [
            GroupReader(node, GROUP, instance_registry(service), lease, lanes, logger) for lanes in by_limit.values()
        ]

    async def start(self) -> None:
        """Take requests from now on."""
        self._unsubscribe = await self._node.subscriber.subscribe(cancel_channel(self._service), self._cancel)
        for reader in self._readers:
            await reader.start()

    async def stop(self, grace: float) -> None:
        """Take no more requests; answer those in hand, within `grace` seconds."""
        await asyncio.gather(*(reader.stop(grace) for reader in self._readers))
        if self._unsubscribe is not None:
            await self._unsubscribe()

    def _cancel(self, message: bytes) -> None:
        request_id = message.decode(errors="replace")
        task = self._running.get(request_id)
        if task is not None:
            self._unwanted.add(request_id)
            task.cancel()

    def _handler_of(self, action: ServedAction) -> Handle:
        key = action_stream(self._service, action.name)

        async def handle(entry: Entry) -> None:
            body = entry.fields.get(b"request", b"")
            try:
                request = _decode(body)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                await self._bury(key, entry.id, body, f"not a request: {error}")
                return
            if entry.deliveries > MAX_DELIVERIES:
                await self._bury(key, entry.id, body, f"delivered {MAX_DELIVERIES} times, and never finished")
                return
            await self._serve(action, key, entry.id, request)

        return handle

    async def _serve(self, action: ServedAction, key: str, entry_id: bytes, request: Request) -> None:
        done: tuple[tuple[bytes | str | int, ...], ...] = (("XACK", key, GROUP, entry_id), ("XDEL", key, entry_id))
        context = self._context(action, request)
        if context.remaining is not None and context.remaining <= 0:
            await settle(self._node, done, self._logger)
            return
        incoming = Incoming(context, body=request.payload)
        reply: bytes | None = None
        self._running[request.request_id] = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            reply = await self._answer(action, incoming, request)
        except asyncio.CancelledError:
            if request.request_id not in self._unwanted:
                raise
            self._running[request.request_id].uncancel()
        except _ReaderGoneError:
            self._logger.debug("the reader of a stream is gone", action=action.name)
        except Exception as error:
            problem = failure(error, action.endpoint, incoming, self._logger)
            if request.reply_to is None:
                await self._bury(key, entry_id, encode(request), f"{problem.code}: {problem.message}")
                return
            reply = failed_reply(problem, request.request_id)
        finally:
            self._running.pop(request.request_id, None)
            self._unwanted.discard(request.request_id)
        if request.reply_to is not None and reply is not None:
            done = (("PUBLISH", request.reply_to, reply), *done)
        await settle(self._node, done, self._logger)

    def _context(self, action: ServedAction, request: Request) -> Context:
        return Context(
            request_id=request.trace_id or request.request_id,
            service=self._service,
            handler=action.endpoint.title,
            deadline=None if request.deadline is None else self._node.clock.monotonic(request.deadline),
        )

    async def _answer(self, action: ServedAction, incoming: Incoming, request: Request) -> bytes:
        limit = asyncio.timeout(incoming.context.remaining)
        try:
            async with limit:
                if action.endpoint.signature.streams:
                    await self._stream(action, incoming, request)
                    return encode(Reply(SUCCESS, NULL, request.request_id))
                result = await dispatch(action.endpoint, incoming)
                return encode(Reply(SUCCESS, msgspec.Raw(result), request.request_id))
        except TimeoutError:
            if limit.expired():
                raise Timeout(f"{action.endpoint.title} did not finish before its deadline") from None
            raise

    async def _stream(self, action: ServedAction, incoming: Incoming, request: Request) -> None:
        alive = asyncio.create_task(self._say_alive(request))
        try:
            async with aclosing(dispatch_stream(action.endpoint, incoming)) as items:
                async for item in items:
                    await self._tell(request, Reply(SUCCESS, msgspec.Raw(item), request.request_id, final=False))
        finally:
            alive.cancel()
            await asyncio.wait({alive})

    async def _say_alive(self, request: Request) -> None:
        while True:
            await asyncio.sleep(_ALIVE_SECONDS)
            with suppress(Unavailable, _ReaderGoneError):  # whoever sends the items finds out as well
                await self._tell(request, Reply(ALIVE, NULL, request.request_id, final=False))

    async def _tell(self, request: Request, reply: Reply) -> None:
        if request.reply_to is not None:
            heard = await self._node.link.execute("PUBLISH", request.reply_to, encode(reply))
            if heard == 0:
                raise _ReaderGoneError

    async def _bury(self, key: str, entry_id: bytes, request: bytes, error: str) -> None:
        """Move an entry that cannot be handled to the dead letters."""
        self._logger.error("request moved to the dead letters", stream=key, error=error)
        letter = ("from", key, "entry", entry_id, "error", error, "instance", self._node.id, "request", request)
        await settle(
            self._node,
            (
                ("XADD", dead_letters(self._service), "MAXLEN", "~", _MAX_DEAD, "*", *letter),
                ("XACK", key, GROUP, entry_id),
                ("XDEL", key, entry_id),
            ),
            self._logger,
        )
