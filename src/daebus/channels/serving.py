"""Listening to channels: plain ones by pub/sub, which reach every replica, and durable ones, handled by one replica."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from daebus.core.context import Context
from daebus.delivery.causes import details_of, reason_of
from daebus.delivery.delivery import Delivery
from daebus.delivery.grace import CUT_SECONDS, Grace
from daebus.errors import ServiceError
from daebus.identity.forwarding import forwarded
from daebus.payloads.codec import UnknownTag
from daebus.protocol.headers import EventHeaders, decode_headers
from daebus.protocol.limits import BusLimits, check_message
from daebus.queues.leases import Entry
from daebus.queues.settler import Settler
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally
from daebus.telemetry.traces import log_fields

from .durable import DurableListeners, ListenerHost
from .groups import Listener
from .plain import PlainListener

__all__ = ["ChannelServer"]

_LONGEST_REASON = 200
_LONGEST_ID = 256
_MOST_TAGS = 1000


class ChannelServer:
    """Delivers events to the listeners of one service in this process.

    Args:
        host: The objects that the listeners share.
        listeners: The listeners.
        limits: How large an event may be.

    Attributes:
        logger: For errors.
    """

    def __init__(self, host: ListenerHost, listeners: Sequence[Listener], limits: BusLimits) -> None:
        self._node = host.node
        self._limits = limits
        self._settler = Settler(host.lease, host.node.link, host.logger)
        self.logger: Logger = host.logger
        self._skipped: dict[tuple[str, str, str], Tally] = {}
        self._deliveries = {
            listener: Delivery(listener.endpoint, host.service, host.node.stopping, host.logger, "bus")
            for listener in listeners
        }
        self._plain = [
            PlainListener(listener, self.handle, host.logger) for listener in listeners if not listener.durable
        ]
        durable = [listener for listener in listeners if listener.durable]
        self._durable = DurableListeners(host, durable, self._settler, self._handle_entry)

    async def start(self) -> None:
        """Start receiving events."""
        for plain in self._plain:
            await plain.start(self._node)
        await self._durable.start()

    async def quit(self) -> None:
        """Take no more events of durable channels; those in flight continue."""
        await self._durable.quit()

    async def stop(self, grace: Grace) -> None:
        """Stop receiving; finish the events in flight."""
        await asyncio.gather(*(plain.stop(grace) for plain in self._plain), self._durable.stop(grace))
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.left_until(CUT_SECONDS)):
                await self._settler.drain()
        await self._settler.close()

    async def handle(
        self, listener: Listener, body: bytes, entry: Entry | None = None, ahead: EventHeaders | None = None
    ) -> ServiceError | None:
        """Pass one event to its listener; return the error, logged, if that failed.

        Args:
            listener: The listener.
            body: The event.
            entry: The entry of an event of a durable channel.
            ahead: The headers that arrived before an event of a plain channel; None: it has none.
        """
        delivery = self._deliveries[listener]
        refused: ServiceError | None = None
        if ahead is not None:
            incoming = delivery.incoming(ahead.trace_id or self._node.new_request_id(), body, headers=ahead.headers)
        elif entry is None:
            incoming = delivery.incoming(self._node.new_request_id(), body)
        else:
            raw = entry.get(b"headers")
            headers, refused = (None, None) if raw is None else _headers(raw)
            name = ("channel", listener.channel)
            incoming = delivery.incoming(
                _text(entry, b"trace_id") or self._node.new_request_id(),
                body,
                None if headers is None else forwarded(headers, name, body, self._node),
                event_id=_text(entry, b"event_id") or entry.id.decode(),
                headers=headers,
                fenced=entry,
            )
        try:
            if refused is not None:
                raise refused
            if len(body) > self._limits.max_message_size:
                check_message(body, self._limits)
            await delivery.handle(incoming)
        except UnknownTag as error:
            self._skip(listener, error.message[:_LONGEST_REASON])
        except Exception as error:
            logger = self._logger_of(listener, entry)
            problem = delivery.problem(error, incoming, logger)
            if problem is error:
                self._log_refusal(delivery, incoming.context, problem, logger)
            return problem
        return None

    def _log_refusal(self, delivery: Delivery[None], context: Context, problem: ServiceError, logger: Logger) -> None:
        """Log an event that its handler refused, or that has the wrong type: then with all its mistakes."""
        about: dict[str, object] = {"where": delivery.endpoint.signature.where, **log_fields(context)}
        if details_of(problem):  # they are not long
            about["details"] = problem.details
        logger.error("event not handled", **about, code=problem.code, reason=reason_of(problem))

    def _skip(self, listener: Listener, reason: str) -> None:
        """Log an event that is skipped: the listener does not know its tag, which may be that of a newer publisher."""
        key = (listener.channel, listener.name, reason)
        if key not in self._skipped and len(self._skipped) >= _MOST_TAGS:
            key = (listener.channel, listener.name, "")  # any publisher can send any tag
        tally = self._skipped.setdefault(key, Tally())
        if tally.add():
            self.logger.warning(
                "event of an unknown kind skipped",
                channel=listener.channel,
                handler=listener.endpoint.title,
                reason=reason,
                skipped=tally.count,
            )

    async def _handle_entry(self, listener: Listener, entry: Entry) -> ServiceError | None:
        return await self.handle(listener, entry.get(b"event") or b"", entry)

    def _logger_of(self, listener: Listener, entry: Entry | None) -> Logger:
        about = {"channel": listener.channel, "listener": listener.name}
        return self.logger.bind(**about) if entry is None else self.logger.bind(**about, entry=entry.id.decode())


def _text(entry: Entry, field: bytes) -> str:
    return (entry.get(field) or b"").decode(errors="replace")[:_LONGEST_ID]


def _headers(raw: bytes) -> tuple[Mapping[str, str] | None, ServiceError | None]:
    """The headers of an event of a durable channel, and the error if they are invalid."""
    try:
        return decode_headers(raw), None
    except ServiceError as error:
        return None, error
