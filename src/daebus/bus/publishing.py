"""Publishing events: on a pub/sub channel, or to the stream of a durable channel, once even if retried."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

import msgspec

from daebus.connection.link import Link
from daebus.connection.node import Node
from daebus.connection.resp import Argument
from daebus.connection.scripts import Script
from daebus.core.context import current_context
from daebus.declare.contracts import Channel
from daebus.identity.forwarding import with_user
from daebus.payloads.codec import encode
from daebus.payloads.encodable import Encodable
from daebus.protocol.headers import EventHeaders, event_headers, sent_headers
from daebus.protocol.messages import channel_stream, sent_mark

__all__ = ["SENT_MS", "OutgoingEvent", "Publisher", "append"]

Event = TypeVar("Event", bound=Encodable)

SENT_MS = 30_000
"""Milliseconds for which the server remembers messages to deduplicate: longer than any sender retries."""

# The event is added first: if the memory is full, nothing is marked.
_APPEND_ONCE = Script(
    """
    if redis.call('GET', KEYS[2]) then return 0 end
    redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[1], '*', unpack(ARGV, 3))
    redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
    return 1
    """
)

# In one step, so that nothing comes between the headers and their event.
_PUBLISH_WITH_HEADERS = Script(
    """
    redis.call('PUBLISH', KEYS[1], ARGV[2])
    return redis.call('PUBLISH', ARGV[1], ARGV[3])
    """
)


class OutgoingEvent(msgspec.Struct, frozen=True):
    """An event to be published.

    Attributes:
        channel: The channel's name.
        body: The event, encoded.
        headers: Its headers; None: it has none.
        trace_id: The request id of the work that the event is part of; None: there is none.
        retention: For how many seconds a durable channel keeps it; None: the channel is not durable.
        event_id: Unique id of an event of a durable channel; else empty.
        once: Whether a durable channel accepts it once, however often it is published.
    """

    channel: str
    body: bytes
    headers: dict[str, str] | None
    trace_id: str | None
    retention: float | None
    event_id: str
    once: bool


class Publisher:
    """Publishes events.

    Args:
        node: The process.
        sender: The publisher's name, shown to operators if an event cannot be handled.
    """

    def __init__(self, node: Node, sender: str) -> None:
        self._node = node
        self._sender = sender

    def event(
        self, channel: Channel[Event], body: bytes, headers: Mapping[str, str] | None, *, once: bool
    ) -> OutgoingEvent:
        """Build an event, without publishing it.

        Args:
            channel: The channel.
            body: The event, encoded.
            headers: Its headers.
            once: Whether a durable channel accepts it once, however often it is published.

        Raises:
            ConfigurationError: A header is wrong, or there are too many.
        """
        sent, trace_id = sent_headers(headers, current_context.get())
        event_id = self._node.new_request_id() if channel.durable else ""
        retention = channel.retention if channel.durable else None
        return OutgoingEvent(channel.name, body, sent, trace_id, retention, event_id, once)

    def publish_now(self, channel: Channel[Event], body: bytes, headers: Mapping[str, str] | None) -> Awaitable[object]:
        """Publish an event once, as soon as it is awaited.

        Args:
            channel: The channel.
            body: The event, encoded.
            headers: Its headers.

        Raises:
            ConfigurationError: A header is wrong, or there are too many.
            Unavailable: The server cannot be reached. It may have stored the event.
        """
        if headers is None and not channel.durable and current_context.get() is None:
            return self._node.link.execute("PUBLISH", channel.name, body)
        return self.publish(self.event(channel, body, headers, once=False))

    async def publish(self, event: OutgoingEvent) -> None:
        """Publish an event, or append it to the stream of a durable channel.

        Raises:
            Unavailable: The server cannot be reached. It may have stored the event.
        """
        node = self._node
        if event.retention is None:
            await self._tell(event)
            return
        oldest = max(0, node.clock.now() - int(event.retention * 1000))
        fields: list[Argument] = ["event", event.body, "trace_id", event.trace_id or node.new_request_id()]
        fields += ["event_id", event.event_id, "sender", self._sender]
        headers = with_user(event.headers, ("channel", event.channel), event.body, node, kept=True)
        if headers is not None:
            fields += ["headers", encode(headers)]
        await append(node.link, event.channel, oldest, fields, once=event.event_id if event.once else "")

    async def _tell(self, event: OutgoingEvent) -> None:
        link, channel, body = self._node.link, event.channel, event.body
        if event.headers is None:
            await link.execute("PUBLISH", channel, body)
            return
        about = EventHeaders(zlib.crc32(body), len(body), event.headers, event.trace_id)
        await link.script(_PUBLISH_WITH_HEADERS, [event_headers(channel)], [channel, encode(about), body])


async def append(link: Link, channel: str, oldest: int, fields: Sequence[Argument], once: str = "") -> None:
    """Append an event to the stream of a durable channel.

    Args:
        link: The connection.
        channel: The channel's name.
        oldest: Events from before this time, in ms of the server's clock, may be trimmed.
        fields: Names and values alternating.
        once: The id of an event that is appended again because the server may not have it. The server keeps it once if
            the retry comes within `SENT_MS`. Empty: it is always appended.

    Raises:
        Unavailable: The server cannot be reached. It may have stored the event.
    """
    stream = channel_stream(channel)
    if once:
        await link.script(_APPEND_ONCE, [stream, sent_mark(channel, once)], [oldest, SENT_MS, *fields])
    else:
        await link.execute("XADD", stream, "MINID", "~", oldest, "*", *fields)
