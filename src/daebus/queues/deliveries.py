"""Delivery limits: how often an entry may be delivered, and how long a suspect entry runs before another may start."""

from __future__ import annotations

from daebus.protocol.messages import Request

__all__ = ["MAX_CALL_DELIVERIES", "MAX_DELIVERIES", "alone_seconds", "call_alone_seconds", "most_deliveries"]

MAX_DELIVERIES = 5
"""How many deliveries of an entry may end with the death of the instance before it goes to the dead letters."""

MAX_CALL_DELIVERIES = 2
"""How many deliveries of a request that wants a reply may end with the death of the instance."""

_ALONE_SECONDS = (300.0, 10.0, 1.0, 0.1)
_LEAST_ALONE, _MOST_ALONE, _STREAMS_SECONDS, _HANDLER_SECONDS = 0.1, 10.0, 3.0, 3.0


def most_deliveries(request: Request | None) -> int:
    """The largest number of deliveries of a request, or of an event (None), to instances."""
    return MAX_DELIVERIES if request is None or request.reply_to is None else MAX_CALL_DELIVERIES


def alone_seconds(chances: int) -> float:
    """Seconds during which no other suspect is started beside this one, unless it ends sooner.

    A handler that kills its process mostly does so at once. So the first time is short, to avoid holding up thousands
    of long-running handlers for one suspect. If it was too short, the death of the process is counted against several
    suspects. When they are retried, each gets more time alone. It is longest when the next step is the dead letters.

    Args:
        chances: How many more times the entry may be delivered after this one.
    """
    return _ALONE_SECONDS[max(0, min(chances, len(_ALONE_SECONDS) - 1))]


def call_alone_seconds(request: Request, waiting: int, now: int) -> float:
    """Seconds during which no other suspect is started beside a request whose caller waits for the reply.

    The request has no other chance, but neither have the suspects behind it if they start too late. So each gets an
    equal share of the time for which its caller still waits, minus a reserve for its handler.

    Args:
        request: The request.
        waiting: How many suspects wait behind it.
        now: The server's time in ms.
    """
    if request.deadline is None or request.credit is not None:
        # The caller of a stream waits 20 s for a sign of life.
        return max(_LEAST_ALONE, min(1.0, _STREAMS_SECONDS / (waiting + 1)))
    left = (request.deadline - now) / 1000 - _HANDLER_SECONDS
    return max(_LEAST_ALONE, min(_MOST_ALONE, left / (waiting + 1)))
