"""What a service takes from those who ask it, and what it gives them."""

from __future__ import annotations

import msgspec

from daebus.errors import TooLarge

from .messages import MAX_MESSAGE_SIZE

__all__ = ["DEAD_SIZE", "MAX_DEAD", "QUEUED_SIZE", "Limits", "size_check"]

REPLY_SIZE = 8_388_608
MAX_DEAD = 100_000
"""About how many dead letters a service keeps; then the oldest go."""

DEAD_SIZE = QUEUED_SIZE = 268_435_456

_CHECK_EACH, _LARGE = 16, 65_536


class Limits(msgspec.Struct, frozen=True):
    """The limits of the bus.

    Attributes:
        message_size: The largest payload or event in bytes, sent or received.
        streams_per_caller: How many streams one caller, that is one process, may have open in one process.
        reply_size: The largest reply, or item of a stream, in bytes. The server cuts off whose replies pile up.
        dead_size: About how many bytes of the server's memory the dead letters of a service take.
    """

    message_size: int = MAX_MESSAGE_SIZE
    streams_per_caller: int = 100
    reply_size: int = REPLY_SIZE
    dead_size: int = DEAD_SIZE

    def check_size(self, payload: bytes | msgspec.Raw) -> None:
        """Raise `TooLarge` for a payload that is."""
        size = memoryview(payload).nbytes
        if size > self.message_size:
            raise TooLarge(
                f"The message has {size} bytes; at most {self.message_size} are allowed",
                details={"limit": self.message_size},
            )

    def check_reply(self, reply: bytes) -> None:
        """Raise `TooLarge` for a reply, or an item of a stream, that is."""
        if len(reply) > self.reply_size:
            raise TooLarge(
                f"The reply has {len(reply)} bytes; at most {self.reply_size} are allowed. "
                "Send it as a stream, or leave it elsewhere and reply where",
                details={"limit": self.reply_size},
            )


def size_check(size: str, length: str, body: str) -> str:
    """Lua that gives `size` what the stream of the script's first key takes in memory, or 0 where it does not look.

    To look costs as much as to append: it is done for each 16th entry, and for each that is large. Who may not ask the
    server for it has no limit in bytes.

    Args:
        size: The name of the variable.
        length: What has the number of entries.
        body: What has the entry that is added.
    """
    return f"""
    local {size} = 0
    if {length} % {_CHECK_EACH} == 0 or #{body} > {_LARGE} then
        local asked = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 100)
        if type(asked) == 'number' then {size} = asked end
    end
    """
