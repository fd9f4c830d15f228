"""Traces and metrics for OpenTelemetry: `Tracing`, `OpenTelemetryMetrics`. Needs the extra ``daebus[otel]``.

An SDK, which you configure, exports them.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from typing import TypeVar

import msgspec

from daebus.core.context import Context, fenced_of
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.failures import is_for_senders
from daebus.delivery.interceptors import Handle, StreamHandle
from daebus.delivery.outgoing import Forward, ForwardStream, Outgoing
from daebus.errors import ConfigurationError, Internal
from daebus.queues.leases import Entry
from daebus.queues.work import Work
from daebus.telemetry.traces import set_trace

from .operations import (
    CANCELLED,
    ERROR_TYPE,
    STATUS,
    Operation,
    error_type,
    failed_status,
    incoming_operation,
    is_operation,
    outgoing_operation,
    status_of,
    variant,
)

try:
    from opentelemetry import context as otel
    from opentelemetry import propagate, trace
    from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, TraceFlags, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "daebus.interceptors.opentelemetry needs opentelemetry-api: pip install 'daebus[otel]'.", name=_missing.name
    ) from _missing

from .otel_metrics import OpenTelemetryMetrics

__all__ = ["OpenTelemetryMetrics", "Tracing"]

R = TypeVar("R")

_PARENT, _BAGGAGE = "traceparent", "baggage"
_W3C = TraceContextTextMapPropagator()
_FLAGS = {f"{flags:02x}": bool(flags & TraceFlags.SAMPLED) for flags in range(256)}
_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}


class Tracing:
    """An interceptor that makes a span of each message that is handled or sent.

    The span of a handler is a child of the span of its sender, which comes in the header ``traceparent``: from another
    service, an HTTP client or a browser. A message whose sender is not sampled gets no span.

    Args:
        sample: The share of the traces that begin here which are sampled, from 0 to 1. It is decided before the SDK is
            asked, so that a message without a span costs nearly nothing. Default: the SDK's sampler alone decides.
        tracer_provider: Makes the spans; default: the global one.

    Raises:
        ConfigurationError: `sample` is not between 0 and 1.
    """

    def __init__(self, *, sample: float | None = None, tracer_provider: TracerProvider | None = None) -> None:
        if sample is not None and not 0 <= sample <= 1:
            raise ConfigurationError(f"Tracing(sample={sample!r}): write a share of the traces, from 0 to 1.")
        self._sample = sample
        self._tracer = trace.get_tracer("daebus", tracer_provider=tracer_provider)

    def __call__(self, endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        """Trace the messages of a handler that have one reply or none."""
        if not is_operation(endpoint):
            return handle

        async def traced(incoming: Incoming) -> R:
            with self._handling(endpoint, incoming) as span:
                reply = await handle(incoming)
                if endpoint.status:
                    span.set_attribute(STATUS, status_of(endpoint, reply))
                return reply

        async def with_baggage(incoming: Incoming) -> R:
            with _attached(propagate.extract(incoming.headers)):
                return await handle(incoming)

        def sampled(incoming: Incoming) -> Awaitable[R]:
            # No coroutine of its own: most messages are not sampled.
            headers = incoming.headers
            if self._is_traced(None if _is_on_connection(incoming.context) else headers.get(_PARENT)):
                return traced(incoming)
            return with_baggage(incoming) if _BAGGAGE in headers else handle(incoming)

        return sampled

    def stream(self, endpoint: Endpoint[R], handle: StreamHandle[R], /) -> StreamHandle[R]:
        """Trace the messages of an action that streams its replies, until its end."""

        async def traced(incoming: Incoming) -> AsyncGenerator[R]:
            parent = None if _is_on_connection(incoming.context) else incoming.headers.get(_PARENT)
            with self._handling(endpoint, incoming) if self._is_traced(parent) else nullcontext():
                async with aclosing(handle(incoming)) as items:
                    async for item in items:
                        yield item

        return traced

    def outgoing(self, forward: Forward, /) -> Forward:
        """Trace the calls, sends and publishes of a bus."""

        async def traced(outgoing: Outgoing) -> msgspec.Raw:
            if not self._is_sent_traced(outgoing):
                return await forward(outgoing)
            with self._sending(outgoing):
                return await forward(outgoing)

        return traced

    def outgoing_stream(self, forward: ForwardStream, /) -> ForwardStream:
        """Trace the streams that a bus reads, until their end."""

        async def traced(outgoing: Outgoing) -> AsyncGenerator[msgspec.Raw]:
            with self._sending(outgoing) if self._is_sent_traced(outgoing) else nullcontext():
                async with aclosing(forward(outgoing)) as replies:
                    async for reply in replies:
                        yield reply

        return traced

    def _is_traced(self, parent: str | None) -> bool:
        """Whether a message with this ``traceparent`` gets a span."""
        flags = "" if parent is None else parent[53:55]
        if flags in _FLAGS:
            return _FLAGS[flags]
        return self._sample is None or random.random() < self._sample  # noqa: S311  # no secret

    def _is_sent_traced(self, outgoing: Outgoing) -> bool:
        """Whether a message that is sent gets a span; if not, its receiver is told that it gets none, either."""
        headers, context, current = outgoing.headers, outgoing.context, otel.get_current()
        if (own := _own_parent(outgoing)) is not None:
            return self._is_traced(own)
        if current and (span := trace.get_current_span(current).get_span_context()).is_valid:
            if span.trace_flags.sampled:
                return True
        elif context is None and self._is_traced(None):
            return True
        if current:
            propagate.inject(headers)
        elif _PARENT not in headers or (context is not None and _is_on_connection(context)):
            headers[_PARENT] = f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-00"
        return False

    @contextmanager
    def _handling(self, endpoint: Endpoint[object], incoming: Incoming) -> Generator[Span]:
        context, links = incoming.context, list[Link]()
        parent = propagate.extract(incoming.headers, context=otel.Context())
        sender = trace.get_current_span(parent).get_span_context()
        operation = incoming_operation(endpoint, incoming, variant(endpoint, incoming))
        if _is_on_connection(context):  # it stays open for long: each of its messages has a trace of its own
            parent = otel.Context()
        if sender.is_valid and (operation.kind == "consumer" or _is_on_connection(context)):
            links.append(Link(sender))
        attributes = {**operation.attributes, "daebus.request.id": context.request_id}
        if context.event_id is not None:
            attributes["messaging.message.id"] = context.event_id
        entry = _entry_of(context)
        if context.attempt > 1:
            attributes["daebus.attempt"] = str(context.attempt)
            links.extend(_earlier(entry))
        with self._span(operation, parent, attributes, links, context.deadline) as span:
            handled = _Handled(self._tracer, span)
            set_trace(context, handled)
            if entry is not None:
                entry.span = f"00-{handled.trace_id}-{handled.span_id}-01"
            yield span

    @contextmanager
    def _sending(self, outgoing: Outgoing) -> Generator[None]:
        operation, given = outgoing_operation(outgoing), _own_parent(outgoing)
        parent, links = otel.get_current(), list[Link]()
        if given is not None:  # the creation context of the message, which must not be changed
            created = trace.get_current_span(propagate.extract(outgoing.headers)).get_span_context()
            links = [Link(created)] if created.is_valid else []
        with self._span(operation, parent, operation.attributes, links, outgoing.deadline):
            if given is None:
                propagate.inject(outgoing.headers)
            yield

    @contextmanager
    def _span(
        self,
        operation: Operation,
        parent: otel.Context,
        attributes: Mapping[str, str],
        links: Sequence[Link],
        deadline: float | None,
    ) -> Generator[Span]:
        span = self._tracer.start_span(
            operation.name, context=parent, kind=_KINDS[operation.kind], attributes=attributes, links=links
        )
        try:
            with _attached(trace.set_span_in_context(span, parent)):
                yield span
        except BaseException as error:
            # The reader of a stream may stop before its end.
            if not (isinstance(error, GeneratorExit) and operation.kind == "client"):
                _fail(span, operation, error, deadline)
            raise
        finally:
            span.end()


class _Handled:
    """The span in which a message is handled."""

    def __init__(self, tracer: trace.Tracer, span: Span) -> None:
        known = span.get_span_context()
        self._tracer = tracer
        self.trace_id: str = trace.format_trace_id(known.trace_id)
        self.span_id: str = trace.format_span_id(known.span_id)

    @contextmanager
    def pushing(self, name: str) -> Generator[None]:
        """The span of a message that is pushed to WebSocket clients."""
        attributes = {"daebus.message.type": name}
        with self._tracer.start_as_current_span(f"push {name}", kind=SpanKind.PRODUCER, attributes=attributes):
            yield


def _fail(span: Span, operation: Operation, error: BaseException, deadline: float | None) -> None:
    code = error_type(error, deadline)
    span.set_attribute(ERROR_TYPE, code)
    if "http.route" in operation.attributes:
        span.set_attribute(STATUS, failed_status(error))
    if operation.kind == "server" and (code == CANCELLED or failed_status(error) < Internal.status):
        return  # the client has made a mistake, or has gone
    span.set_status(Status(StatusCode.ERROR, str(error) or type(error).__name__))
    if isinstance(error, Exception) and not is_for_senders(error):
        span.record_exception(error)


def _entry_of(context: Context) -> Entry | None:
    """The entry of a message that may be tried again; None: it is tried once."""
    fenced = fenced_of(context)
    if isinstance(fenced, Work):
        return fenced.entry
    return fenced if isinstance(fenced, Entry) else None


def _earlier(entry: Entry | None) -> Iterator[Link]:
    """A link to the span of the attempt before, if that has failed."""
    parent = None if entry is None else entry.get(b"span")
    if parent is not None:
        span = trace.get_current_span(_W3C.extract({_PARENT: parent.decode(errors="replace")})).get_span_context()
        if span.is_valid:
            yield Link(span, {"daebus.link": "attempt"})


def _is_on_connection(context: Context) -> bool:
    """Whether the headers are those of the handshake of a WebSocket, and not of the message."""
    return context.source == "socket"


def _own_parent(outgoing: Outgoing) -> str | None:
    """The ``traceparent`` that the sender has set itself; None: there is none, or only that of the handled message."""
    parent = outgoing.headers.get(_PARENT)
    if parent is None or outgoing.context is None:
        return parent
    return None if parent == outgoing.context.headers.get(_PARENT) else parent


@contextmanager
def _attached(context: otel.Context) -> Generator[None]:
    token = otel.attach(context)
    try:
        yield
    finally:
        otel.detach(token)
