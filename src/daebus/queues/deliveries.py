"""Deliveries: how often an entry is given to an instance that dies, and for how long a suspect is begun alone."""

from __future__ import annotations

from daebus.protocol.messages import Request

__all__ = ["MAX_CALL_DELIVERIES", "MAX_DELIVERIES", "alone_seconds", "call_alone_seconds", "most_deliveries"]

MAX_DELIVERIES = 5
"""How often an entry is given to an instance, each of which died, before it goes to the dead letters."""

MAX_CALL_DELIVERIES = 2
"""How often a request that wants a reply is given to an instance, likewise."""

_ALONE_SECONDS = (300.0, 10.0, 1.0, 0.1)
_LEAST_ALONE, _MOST_ALONE, _STREAMS_SECONDS, _HANDLER_SECONDS = 0.1, 10.0, 3.0, 3.0


def most_deliveries(request: Request | None) -> int:
    """How often a request, or an event (None), is given to an instance."""
    return MAX_DELIVERIES if request is None or request.reply_to is None else MAX_CALL_DELIVERIES


def alone_seconds(chances: int) -> float:
    """For how long no other suspect is begun beside one, if it takes so long.

    What kills a process mostly does so at once, so the first time is short, not to hold up thousands of long handlers
    for the sake of one. Where it was too short, several are charged with the death of their process, and have more time
    alone when they are suspects again; most of it when nothing but the dead letters is left.

    Args:
        chances: How often it may be given to an instance after this time.
    """
    return _ALONE_SECONDS[max(0, min(chances, len(_ALONE_SECONDS) - 1))]


def call_alone_seconds(request: Request, waiting: int, now: int) -> float:
    """For how long no other suspect is begun beside a request for whose reply somebody waits.

    It has no other chance, but neither have those behind it, if they are begun too late: each gets its share of the
    time for which its caller waits yet, but for some that its handler needs.

    Args:
        request: The request.
        waiting: How many suspects wait behind it.
        now: The server's time in ms.
    """
    if request.deadline is None or request.credit is not None:
        # Whoever reads a stream waits 20 s for a sign of life.
        return max(_LEAST_ALONE, min(1.0, _STREAMS_SECONDS / (waiting + 1)))
    left = (request.deadline - now) / 1000 - _HANDLER_SECONDS
    return max(_LEAST_ALONE, min(_MOST_ALONE, left / (waiting + 1)))
