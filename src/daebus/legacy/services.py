"""Calling services that still run daebus 0.0.31: they hear requests on the pub/sub channel that has their name."""

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
    """Whether somebody subscribes to the channel that has the service's name."""
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
        # Old services know of no sharded channels.
        self._reply_channel = f"daebus:reply:old:{node.id}"
        self._subscribing = asyncio.Lock()
        self._hears = False

    async def instead(self, missing: NoSuchService, service: str) -> NoSuchService | None:
        """None: an old service is there, and may be asked; else why there is nobody."""
        return None if await hears_requests(self._node, service) else missing

    async def prepare(self, request: Request, receive: Receive) -> None:
        """See to it that replies to a request can come in.

        Raises:
            ConfigurationError: The request has an idempotency key.
            Unavailable: The connection over which replies come in is broken.
        """
        _refuse_key(request)
        async with self._subscribing:
            if not self._hears:
                await self._node.subscriber.subscribe(self._reply_channel, receive)
                self._hears = True

    def ask(self, request: Request, sent: Answered) -> None:
        """Publish a request; the server's answer is handed to `sent`."""
        request.reply_to = self._reply_channel
        self._node.link.issue(_command(request), sent)

    async def send(self, request: Request) -> bool:
        """Publish a request without a reply; returns whether an old service was there to hear it.

        Raises:
            ConfigurationError: It is there, and the request has an idempotency key.
        """
        node = self._node
        if not await hears_requests(node, request.service):
            return False
        _refuse_key(request)
        # A node of a cluster counts those that subscribe to itself.
        return await node.link.execute(*_command(request)) != 0 or await hears_requests(node, request.service)

    def expecting(self, waiting: Waiting, ends: float, *, streams: bool) -> Waiting:
        """What takes the replies of an old service for somebody who waits."""
        return SilentStream(waiting, ends) if streams else LastReply(waiting)


class LastReply:
    """Waits for one reply, the last one: an old service may tell of its progress before."""

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
        """Wait no longer."""
        self._waiting.expire()


class SilentStream:
    """Waits for many replies. An old service does not say that it lives: with a timeout it may be silent until then.

    Args:
        waiting: Takes the replies.
        ends: When all of them must be there, in seconds of `time.monotonic`.
    """

    __slots__ = ("_ends", "_waiting")

    def __init__(self, waiting: Waiting, ends: float) -> None:
        self._waiting = waiting
        self._ends = ends

    @property
    def deadline(self) -> float:
        """When it ends; without an end, when it was silent for too long."""
        return self._waiting.deadline if self._ends == NEVER else self._ends

    def receive(self, reply: Reply) -> None:
        """Take a reply."""
        self._waiting.receive(reply)

    def expire(self) -> None:
        """Wait no longer."""
        self._waiting.expire()


def _refuse_key(request: Request) -> None:
    """Refuse what an old service would run as often as it is asked. Raises `ConfigurationError`."""
    if request.idempotency_key is not None:
        raise ConfigurationError(
            f"{request.service}.{request.action} has an idempotency key, and {request.service!r} runs daebus 0.0.31, "
            "which knows none: leave it out until the service has moved to this version."
        )


def _command(request: Request) -> tuple[Argument, ...]:
    """The command that publishes a request in the old form. Where no reply is wanted, it has no id either."""
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
    """The payload as an old handler expects it: nothing is an empty object there, and text is decoded once more."""
    body = bytes(payload)
    if body == bytes(NOTHING):
        return msgspec.Raw(b"{}")
    return msgspec.Raw(encode(body.decode())) if body.startswith(b'"') else payload
