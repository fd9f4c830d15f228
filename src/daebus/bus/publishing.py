"""Appending an event to the stream of a durable channel, once, also where it is not known whether the server has it."""

from __future__ import annotations

from collections.abc import Sequence

from daebus.connection.link import Link
from daebus.connection.resp import Argument
from daebus.connection.scripts import Script
from daebus.protocol.messages import channel_stream, sent_mark

__all__ = ["SENT_MS", "append"]

SENT_MS = 30_000
"""Milliseconds for which the server remembers what was sent once: longer than anybody sends it again."""

# Added first: where the memory is full, nothing is marked.
_APPEND_ONCE = Script(
    """
    if redis.call('GET', KEYS[2]) then return 0 end
    redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[1], '*', unpack(ARGV, 3))
    redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
    return 1
    """
)


async def append(link: Link, channel: str, oldest: int, fields: Sequence[Argument], once: str = "") -> None:
    """Append an event to the stream of a durable channel.

    Args:
        link: The connection.
        channel: The channel's name.
        oldest: Events from before this time, in ms of the server's clock, may go.
        fields: Names and values in turn.
        once: The id of an event that is appended again where it is not known whether the server has it: it has it once,
            if that is within `SENT_MS`. Empty: it is appended.

    Raises:
        Unavailable: The server cannot be reached; it may have the event all the same.
    """
    stream = channel_stream(channel)
    if once:
        await link.script(_APPEND_ONCE, [stream, sent_mark(channel, once)], [oldest, SENT_MS, *fields])
    else:
        await link.execute("XADD", stream, "MINID", "~", oldest, "*", *fields)
