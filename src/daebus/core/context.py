"""What is known about the message that is being handled, carried along by a context variable."""

from __future__ import annotations

import time
from contextvars import ContextVar

import msgspec

from .stopping import Stopping

__all__ = ["Context", "current_context", "remaining"]


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The message that is being handled.

    Attributes:
        request_id: Follows the work through every service that it touches; each log line has it.
        service: The service that handles the message.
        handler: The handler, such as ``action get_user``.
        event_id: Of an event of a durable channel: tells it from all others, also when it is handled again; else None.
        deadline: When the caller stops waiting, in seconds of `time.monotonic`; None: never.
        stopping: Whether the service stops, to be asked (``is_set()``) or waited for (``await ... wait()``).
    """

    request_id: str
    service: str
    handler: str
    deadline: float | None = None
    stopping: Stopping = msgspec.field(default_factory=Stopping)
    event_id: str | None = None
    _after: object = None  # what is sent once it has succeeded: see daebus.delivery.after_commit

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None where there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


current_context: ContextVar[Context | None] = ContextVar("daebus_context", default=None)


def remaining() -> float | None:
    """Seconds that the message being handled has left; None outside a handler or without a deadline."""
    context = current_context.get()
    return None if context is None else context.remaining
