"""The caller's side of replies: one channel for each process, matched by request id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from daebus.core.codec import encode
from daebus.core.errors import ServiceError, error_from_code
from daebus.core.messages import ErrorPayload, Reply, reply_channel

from .node import Node

__all__ = ["ALIVE", "ERROR", "SUCCESS", "Inbox", "failed_reply", "reply_error"]

SUCCESS = "success"
ERROR = "error"
ALIVE = "alive"
"""The status of a reply that only says that a stream goes on."""

_decode = msgspec.json.Decoder(Reply).decode
_decode_error = msgspec.json.Decoder(ErrorPayload).decode


class Inbox:
    """The replies to this process."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.channel: str = reply_channel(node.id)
        self._waiting: dict[str, Callable[[Reply], None]] = {}
        self._subscribing: asyncio.Task[object] | None = None

    async def ready(self) -> None:
        """Subscribe, once; later calls return at once."""
        if self._subscribing is None or (
            self._subscribing.done() and (self._subscribing.cancelled() or self._subscribing.exception() is not None)
        ):
            self._subscribing = asyncio.create_task(self._subscribe())
        if not self._subscribing.done():
            await asyncio.shield(self._subscribing)

    async def _subscribe(self) -> None:
        await self._node.subscriber.subscribe(self.channel, self._receive)

    def expect(self, request_id: str, receive: Callable[[Reply], None]) -> None:
        """Hand each reply to a request to `receive`, until it is forgotten."""
        self._waiting[request_id] = receive

    def forget(self, request_id: str) -> None:
        """Drop what else comes for a request."""
        self._waiting.pop(request_id, None)

    def _receive(self, message: bytes) -> None:
        reply = _decode(message)
        receive = self._waiting.get(reply.request_id)
        if receive is not None:
            receive(reply)


def reply_error(reply: Reply) -> ServiceError:
    """The error that an error reply carries."""
    try:
        payload = _decode_error(reply.payload)
    except msgspec.MsgspecError:
        return ServiceError(f"The service answered with an error: {bytes(reply.payload).decode(errors='replace')}")
    return error_from_code(payload.code, payload.error, payload.details)


def failed_reply(error: ServiceError, request_id: str) -> bytes:
    """An encoded error reply."""
    try:
        payload = encode(ErrorPayload(error.message, error.code, error.details))
    except (TypeError, ValueError):
        payload = encode(ErrorPayload(error.message, error.code, {"details": repr(error.details)}))
    return encode(Reply(ERROR, msgspec.Raw(payload), request_id))
