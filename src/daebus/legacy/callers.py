"""Serving callers that still run daebus 0.0.31: they publish to all replicas, and one of them takes the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import TypeAlias

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.connection.resp import Reply as ServerReply
from daebus.connection.scripts import NOW, Script
from daebus.delivery.grace import Grace
from daebus.errors import BadRequest, ServiceError, Unavailable
from daebus.payloads.codec import encode
from daebus.protocol.messages import (
    NOTHING,
    Reply,
    Request,
    action_stream,
    instance_registry,
    require_reply_channel,
)
from daebus.protocol.replies import SUCCESS, failed_reply
from daebus.queues.leases import Lease
from daebus.telemetry.logs import Logger

__all__ = ["OldCallers", "Stream", "read_request"]

Stream: TypeAlias = Callable[[str, msgspec.Raw], AsyncGenerator[msgspec.Raw]]
"""The replies of a streaming action of the service, by its name and the payload."""

_WATCH_SECONDS = 1.0

# The first instance that claims the id of a request gets it. Without an id, the live instance with the first id gets
# it.
_TAKE = Script(
    NOW
    + """
    local me, lease, request = ARGV[1], tonumber(ARGV[2]), ARGV[3]
    if KEYS[3] then
        if not redis.call('SET', KEYS[3], me, 'NX', 'PX', lease * 2) then
            return redis.call('GET', KEYS[3]) == me and 'again' or 'taken'
        end
    else
        local alive = redis.call('ZRANGEBYSCORE', KEYS[2], now, '+inf')
        table.sort(alive)
        if alive[1] ~= me then return 'taken' end
    end
    if request ~= '' then redis.call('XADD', KEYS[1], '*', 'request', request) end
    return 'mine'
    """
)


class OldCallers:
    """Handles messages of daebus 0.0.31 callers on the channel with the service's name.

    Every replica receives them. One replica appends the request to the action's stream, from which any replica answers
    the caller. A stream of replies is relayed by the replica that took the request.

    Args:
        node: This process.
        service: The service's name.
        actions: The names of its actions, and whether each streams.
        lease: The heartbeat of this process.
        stream: Calls a streaming action.
        logger: For errors.
    """

    def __init__(
        self, node: Node, service: str, actions: Mapping[str, bool], lease: Lease, stream: Stream, logger: Logger
    ) -> None:
        self._node = node
        self._service = service
        self._streams = actions
        self._lease = lease
        self._stream = stream
        self._logger = logger
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self._tenure: int | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to receive requests. If the server forbids it, only the log says so."""
        if not self._streams:
            return
        try:
            await self._subscribe()
            self._watching = asyncio.create_task(self._watch(), name="watch over old callers")
        except CommandError as error:
            self._logger.warning(
                "cannot receive requests of daebus 0.0.31: allow the channel in the ACL, or remove legacy=True",
                channel=self._service,
                reason=str(error),
            )

    async def stop(self, grace: Grace) -> None:
        """Stop receiving, and finish the streams that are being relayed."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        if self._unsubscribe is not None:
            await self._unsubscribe()
        await grace.end(set(self._tasks))

    async def _subscribe(self) -> None:
        tenure = self._lease.tenure
        self._unsubscribe = await self._node.subscriber.subscribe(self._service, self._receive)
        self._tenure = tenure

    async def _watch(self) -> None:
        """Subscribe again after each lapse of the lease: no message that arrives after that is old."""
        while True:
            await asyncio.sleep(min(_WATCH_SECONDS, self._lease.seconds / 3))
            if self._lease.tenure in (None, self._tenure):
                continue
            with suppress(Unavailable, CommandError):  # the next round tries it again
                if self._unsubscribe is not None:
                    await self._unsubscribe()
                await self._subscribe()

    def _receive(self, message: bytes) -> None:
        if self._tenure is None or self._lease.tenure != self._tenure:
            # This process slept: messages that waited here were taken by other replicas, and their claims may be gone.
            return
        request = read_request(message, self._service)
        if request is None:
            self._logger.debug("message is not a request of daebus 0.0.31", channel=self._service, size=len(message))
            return
        task = asyncio.create_task(self._serve(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: Request) -> None:
        try:
            await self._answer(request)
        except (Unavailable, CommandError) as error:
            self._logger.error("request of daebus 0.0.31 lost", action=request.action, reason=str(error))

    async def _answer(self, request: Request) -> None:
        streams = self._streams.get(request.action)
        appended = streams is False or (streams is True and request.reply_to is None)
        taken = await self._take(request, encode(request) if appended else b"")
        if taken == b"again":
            used = BadRequest(f"The request id {request.request_id!r} was used before; each request needs its own id")
            await self._tell(request, failed_reply(used, request.request_id))
        elif taken == b"mine" and not appended:
            if request.reply_to is None:
                self._logger.warning("message of daebus 0.0.31 for an unknown action", action=request.action)
            else:
                await self._relay(request)

    async def _take(self, request: Request, appended: bytes) -> ServerReply:
        keys = [action_stream(self._service, request.action), instance_registry(self._service)]
        if request.request_id:
            keys.append(_claim(self._service, request.request_id))
        arguments = (self._node.id, int(self._lease.seconds * 1000), appended)
        return await self._node.link.script(_TAKE, keys, arguments)

    async def _relay(self, request: Request) -> None:
        """Answer with each item as progress, and repeat the last one as the final reply."""
        last = NOTHING
        try:
            async with aclosing(self._stream(request.action, request.payload)) as items:
                async for last in items:
                    if not await self._tell(request, encode(Reply(SUCCESS, last, request.request_id, final=False))):
                        return
        except ServiceError as error:
            await self._tell(request, failed_reply(error, request.request_id))
        except asyncio.CancelledError:
            cut = Unavailable("The instance that relayed the replies is stopping; call again")
            await self._tell(request, failed_reply(cut, request.request_id))
            raise
        else:
            await self._tell(request, encode(Reply(SUCCESS, last, request.request_id)))

    async def _tell(self, request: Request, reply: bytes) -> bool:
        """Publish a reply; return whether it has a receiver."""
        if request.reply_to is None:
            return False
        link = self._node.link
        # A node of a cluster counts only its own subscribers.
        return await link.execute("PUBLISH", request.reply_to, reply) != 0 or await link.is_heard(request.reply_to)


def _claim(service: str, request_id: str) -> str:
    """The key that lets exactly one replica take a request that was published to all of them."""
    return f"daebus:{{{service}}}:old:{request_id}"


class _OldRequest(msgspec.Struct):
    action: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"")
    reply_to: str | None = None
    request_id: str | None = None
    service: str | None = None


_decode = msgspec.json.Decoder(_OldRequest).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def read_request(message: bytes, service: str) -> Request | None:
    """The request in a message on the channel of a service; None if it is no request."""
    try:
        old = _decode(message)
        if not old.action:
            return None
        reply_to = old.reply_to or (f"{old.service or service}.responses" if old.request_id else None)
        if reply_to is not None:
            require_reply_channel(reply_to)
        return Request(old.action, _payload(old, message), reply_to, old.request_id or "", service)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _payload(old: _OldRequest, message: bytes) -> msgspec.Raw:
    """The payload: if missing, all the message's own fields; text that contains an object counts as that object."""
    if not bytes(old.payload):
        fields = _decode_fields(message)
        return msgspec.Raw(encode({name: fields[name] for name in fields if name not in _OldRequest.__struct_fields__}))
    if bytes(old.payload).startswith(b'"'):
        text = _decode_text(old.payload).encode()
        with suppress(msgspec.MsgspecError):
            _decode_fields(text)
            return msgspec.Raw(text)
    return old.payload
