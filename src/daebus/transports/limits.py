"""What a service takes from those who ask it."""

from __future__ import annotations

import msgspec

from daebus.core.errors import TooLarge
from daebus.core.messages import MAX_MESSAGE_SIZE

__all__ = ["Limits"]


class Limits(msgspec.Struct, frozen=True):
    """The limits of the bus.

    Attributes:
        message_size: The largest payload or event in bytes, sent or received.
        streams_per_caller: How many streams one caller, that is one process, may have open in one process.
    """

    message_size: int = MAX_MESSAGE_SIZE
    streams_per_caller: int = 100

    def check_size(self, payload: bytes | msgspec.Raw) -> None:
        """Raise `TooLarge` for a payload that is."""
        size = memoryview(payload).nbytes
        if size > self.message_size:
            raise TooLarge(
                f"The message has {size} bytes; at most {self.message_size} are allowed",
                details={"limit": self.message_size},
            )
