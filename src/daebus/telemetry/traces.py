"""The span in which a message is handled, for log lines and for what the handler pushes. Loads no library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from operator import attrgetter
from typing import Protocol, TypeVar

import msgspec

from daebus.core.context import Context, current_context, fenced_of

__all__ = ["Trace", "is_awaited", "log_fields", "pushed", "set_trace"]

T = TypeVar("T")


class Trace(Protocol):
    """The span in which a message is handled.

    Attributes:
        trace_id: The id of its trace, in hexadecimal digits.
        span_id: Its own id, likewise.
    """

    trace_id: str
    span_id: str

    def pushing(self, name: str) -> AbstractContextManager[None]:
        """The span of a message that the handler pushes to WebSocket clients; `name`: the type of the message."""
        ...


_trace_of: Callable[[Context], Trace | None] = attrgetter("_trace")


def set_trace(context: Context, trace: Trace) -> None:
    """Set the span in which a message is handled."""
    msgspec.structs.force_setattr(context, "_trace", trace)


def is_awaited(context: Context) -> bool:
    """Whether the sender of a request waits for a reply: not if it was sent with ``bus.send``."""
    fenced = fenced_of(context)
    return fenced is None or bool(getattr(fenced, "is_awaited", False))


def log_fields(context: Context) -> dict[str, str]:
    """The fields of a log line about a message."""
    fields = {"handler": context.handler, "request_id": context.request_id}
    if context.actor is not None:
        fields["user"] = context.actor
    if context.event_id is not None:
        fields["event_id"] = context.event_id
    if (trace := _trace_of(context)) is not None:
        fields |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
    return fields


async def pushed(name: str, send: Callable[[], Awaitable[T]]) -> T:
    """Push a message to WebSocket clients, in a span of its own if the message that is being handled is traced.

    Args:
        name: The type of the message.
        send: Sends it.
    """
    context = current_context.get()
    trace = None if context is None else _trace_of(context)
    with nullcontext() if trace is None else trace.pushing(name):
        return await send()
