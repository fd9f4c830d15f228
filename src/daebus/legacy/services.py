"""Calling services that still run daebus 0.0.31: they receive requests on the pub/sub channel with their name."""

from __future__ import annotations

import asyncio

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.connection.subscriber import Receive
from daebus.connection.wire import Answered
from daebus.core.deadlines import NEVER
from daebus.errors import ConfigurationError, NoSuchService
from daebus.payloads.codec import encode
from daebus.protocol.messages import NOTHING, Reply, Request
from daebus.protocol.replies import Waiting

__all__ = ["OldServices", "hears_requests"]


async def hears_requests(node: Node, service: str) -> bool:
    """Whether the channel with the service's name has a subscriber."""
    try:
        return await node.link.is_heard(service)
    except CommandError:  # forbidden: then there are no old services for this user of the server
        return False


class OldServices:
    """The services of daebus 0.0.31, as one process calls them.

    Args:
        node: The process.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        # Old services do not use sharded channels.
        self._reply_channel = f"daebus:reply:old:{node.id}"
        self._subscribing = asyncio.Lock()
        self._hears = False

    async def instead(self, missing: NoSuchService, service: str) -> NoSuchService | None:
        """None: an old service is there, and may be asked; else the error for a missing service."""
        return None if await hears_requests(self._node, service) else missing

    async def prepare(self, request: Request, receive: Receive) -> None:
        """Ensure that replies to a request can arrive.

        Raises:
            ConfigurationError: The request has an idempotency key.
            Unavailable: The connection for replies is broken.
        """
        _refuse_key(request)
        async with self._subscribing:
            if not self._hears:
                await self._node.subscriber.subscribe(self._reply_channel, receive)
                self._hears = True

    def ask(self, request: Request, sent: Answered) -> None:
        """Publish a request; the server's answer is passed to `sent`."""
        request.reply_to = self._reply_channel
        self._node.link.issue(_command(request), sent)

    async def send(self, request: Request) -> bool:
        """Publish a request without a reply; return whether an old service received it.

        Raises:
            ConfigurationError: An old service is there, and the request has an idempotency key.
        """
        node = self._node
        if not await hears_requests(node, request.service):
            return False
        _refuse_key(request)
        # A node of a cluster counts only its own subscribers.
        return await node.link.execute(*_command(request)) != 0 or await hears_requests(node, request.service)

    def expecting(self, waiting: Waiting, ends: float, *, streams: bool) -> Waiting:
        """The receiver of an old service's replies for a waiting caller."""
        return SilentStream(waiting, ends) if streams else LastReply(waiting)


class LastReply:
    """Waits for one reply, the last one: an old service may send progress before it."""

    __slots__ = ("_waiting",)

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    @property
    def deadline(self) -> float:
        """When it ends."""
        return self._waiting.deadline

    def receive(self, reply: Reply) -> None:
        """Take a reply."""
        if reply.final:
            self._waiting.receive(reply)

    def expire(self) -> None:
        """Stop waiting."""
        self._waiting.expire()


class SilentStream:
    """Waits for many replies. An old service sends no keep-alive: with a timeout it may be silent until then.

    Args:
        waiting: Receives the replies.
        ends: When all of them must have arrived, in seconds of `time.monotonic`.
    """

    __slots__ = ("_ends", "_waiting")

    def __init__(self, waiting: Waiting, ends: float) -> None:
        self._waiting = waiting
        self._ends = ends

    @property
    def deadline(self) -> float:
        """When it ends; without an end, when it has been silent for too long."""
        return self._waiting.deadline if self._ends == NEVER else self._ends

    def receive(self, reply: Reply) -> None:
        """Take a reply."""
        self._waiting.receive(reply)

    def expire(self) -> None:
        """Stop waiting."""
        self._waiting.expire()


def _refuse_key(request: Request) -> None:
    """Refuse an idempotency key: an old service would run the request each time. Raises `ConfigurationError`."""
    if request.idempotency_key is not None:
        raise ConfigurationError(
            f"{request.service}.{request.action} has an idempotency key, and {request.service!r} runs daebus 0.0.31, "
            "which knows none: leave it out until the service has moved to this version."
        )


def _command(request: Request) -> tuple[Argument, ...]:
    """The command that publishes a request in the old form. If no reply is wanted, it has no id."""
    wants_reply = request.reply_to is not None
    old = Request(
        action=request.action,
        payload=_old_payload(request.payload),
        reply_to=request.reply_to,
        request_id=request.request_id if wants_reply else "",
        service=request.service,
    )
    return ("PUBLISH", request.service, encode(old))


def _old_payload(payload: msgspec.Raw) -> msgspec.Raw:
    """The payload in the form of an old handler: null becomes an empty object, and text is decoded once more."""
    body = bytes(payload)
    if body == bytes(NOTHING):
        return msgspec.Raw(b"{}")
    return msgspec.Raw(encode(body.decode())) if body.startswith(b'"') else payload
