"""The messages of WebSockets, in both directions."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .messages import NOTHING

__all__ = ["CANCEL", "CREDIT", "Envelope"]

CANCEL, CREDIT = "daebus.cancel", "daebus.credit"
"""The types of the messages with which a WebSocket client cancels a message, and accepts more items of a stream."""

_Credit = Annotated[int, msgspec.Meta(gt=0, le=1 << 31)]
_Milliseconds = Annotated[int, msgspec.Meta(gt=0, lt=10**10)]


class Envelope(msgspec.Struct, omit_defaults=True):
    """A WebSocket message, both ways.

    Attributes:
        type: The message's name.
        data: The payload, still JSON.
        id: Chosen by the asking side; the answer carries it.
        timeout_ms: For how many milliseconds the asking side waits for the answer; None: without limit.
        credit: How many items of a stream the asking side accepts, or accepts more; None: any number.
    """

    type: str
    data: msgspec.Raw = NOTHING
    id: str | int | None = None
    timeout_ms: _Milliseconds | None = None
    credit: _Credit | None = None

    @property
    def waiting(self) -> float | None:
        """For how many seconds the asking side waits for the answer; None: without limit."""
        return None if self.timeout_ms is None else self.timeout_ms / 1000

    def __repr__(self) -> str:
        """With the JSON of the payload, which `msgspec.Raw` does not show."""
        data = bytes(self.data).decode(errors="replace")
        return f"{type(self).__name__}(type={self.type!r}, data={data}, id={self.id!r})"
