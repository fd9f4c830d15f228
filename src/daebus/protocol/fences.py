"""Fences: texts that grow with each delivery of a message, so that the writes of an earlier delivery can be refused.

A fence has three numbers of fixed width: the two of the id of the stream entry, and the number of its take-over; 0: it
is with the instance that read it first. Retries and replays are new entries with larger ids. The numbers of take-overs
come from a counter in Redis that is never behind the server's clock. So they also grow if the counter is lost.
"""

from __future__ import annotations

__all__ = ["DRAW", "drawn_fence", "entry_fence", "fence_counter"]

# After `NOW`. The counter of a service that no longer runs expires.
DRAW = """
    local function draw(counter)
        local drawn = math.max(now, 1 + (tonumber(redis.call('GET', counter) or 0) or 0))
        redis.call('SET', counter, string.format('%.0f', drawn), 'PX', 604800000)
        return drawn
    end
"""
"""Defines `draw` in a script that begins with `NOW`: the next number of a counter."""

_WIDTHS = "{:014d}{:010d}{:014d}"


def fence_counter(registry: str) -> str:
    """The counter for the take-overs among the instances of a registry, in its hash slot."""
    return f"{registry}:fence"


def entry_fence(entry_id: bytes, drawn: int) -> str:
    """The fence of a delivery of an entry, given the number of its take-over."""
    milliseconds, _, number = entry_id.partition(b"-")
    return _WIDTHS.format(int(milliseconds), int(number), drawn)


def drawn_fence(drawn: int) -> str:
    """The fence of a run that belongs to no single entry: that of an idempotency key, or of a background task."""
    return _WIDTHS.format(drawn, 0, 0)
