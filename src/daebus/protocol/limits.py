"""The limits of a service for its callers: sizes of messages and replies, dead letters and open streams."""

from __future__ import annotations

import msgspec

from daebus.declare.options import require_counts
from daebus.errors import TooLarge

from .messages import MAX_MESSAGE_SIZE

__all__ = ["DEAD_SIZE", "MAX_DEAD", "QUEUED_SIZE", "BusLimits", "check_message", "check_reply", "size_check"]

REPLY_SIZE = 8_388_608
MAX_DEAD = 100_000
"""About how many dead letters a service keeps; above that the oldest are deleted."""

DEAD_SIZE = QUEUED_SIZE = 268_435_456

_CHECK_EACH, _LARGE = 16, 65_536


class BusLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the bus: ``Settings(limits=BusLimits(max_reply_size=1_000_000))``.

    Attributes:
        max_message_size: The largest payload or event in bytes, sent or received; default 1 MiB.
        max_reply_size: The largest reply, or item of a stream, in bytes; for a larger one the caller gets `TooLarge`.
            The server disconnects a process whose replies pile up. Default 8 MiB.
        max_dead_size: About how many bytes of the server's memory the dead letters of the service may take; above that
            the oldest are deleted. Default 256 MiB.
        max_streams: How many streams one caller, that is one process, may have open in one process of the service;
            default 100.

    Raises:
        WiringError: A limit is no whole number of at least 1.
    """

    max_message_size: int = MAX_MESSAGE_SIZE
    max_reply_size: int = REPLY_SIZE
    max_dead_size: int = DEAD_SIZE
    max_streams: int = 100

    def __post_init__(self) -> None:
        """Refuse limits that are out of range."""
        require_counts("BusLimits(...)", **msgspec.structs.asdict(self))


def check_message(payload: bytes | msgspec.Raw, limits: BusLimits) -> None:
    """Raise `TooLarge` for a payload or event above the limit."""
    size = memoryview(payload).nbytes
    if size > limits.max_message_size:
        raise TooLarge(
            f"The message has {size} bytes; at most {limits.max_message_size} are allowed",
            details={"limit": limits.max_message_size},
        )


def check_reply(reply: bytes, limits: BusLimits) -> None:
    """Raise `TooLarge` for a reply, or an item of a stream, above the limit."""
    if len(reply) > limits.max_reply_size:
        raise TooLarge(
            f"The reply has {len(reply)} bytes; at most {limits.max_reply_size} are allowed. "
            "Send it as a stream, or store it elsewhere and reply with its location",
            details={"limit": limits.max_reply_size},
        )


def size_check(size: str, length: str, body: str) -> str:
    """Lua that sets `size` to the memory of the stream of the script's first key, or to 0 if it was not measured.

    Measuring costs as much as appending, so it is done for every 16th entry, and for each large one. A user without
    permission to ask the server for it has no limit in bytes.

    Args:
        size: The name of the variable.
        length: The variable with the number of entries.
        body: The variable with the entry that is added.
    """
    return f"""
    local {size} = 0
    if {length} % {_CHECK_EACH} == 0 or #{body} > {_LARGE} then
        local asked = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 100)
        if type(asked) == 'number' then {size} = asked end
    end
    """
