"""The headers of plain events: they arrive before the event, which has only its body, on a separate channel."""

from __future__ import annotations

import logging
import time
import zlib
from collections import deque

import msgspec

from daebus.errors import TooLarge
from daebus.payloads.codec import UNDECODABLE
from daebus.protocol.headers import EventHeaders, check_size

__all__ = ["HeadersAhead"]

_SECONDS = 10.0
_MOST = 100

_log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(EventHeaders).decode


class HeadersAhead:
    """The headers that have arrived for one listener, and whose events have not.

    Publishers send both in one step, so that an event directly follows its headers, unless the connection breaks in
    between. Headers without an event are dropped after 10 s.

    Attributes:
        arrived: The headers, with the times of their arrival. If it is empty, `take` need not be called.
    """

    def __init__(self) -> None:
        self.arrived: deque[tuple[float, EventHeaders]] = deque(maxlen=_MOST)

    def receive(self, message: bytes) -> None:
        """Handle a message of the headers channel."""
        try:
            ahead = _decode(message)
            check_size(ahead.headers)
        except (*UNDECODABLE, TooLarge) as error:
            _log.debug("A message on a channel for headers does not contain headers: %s", error)
            return
        self.arrived.append((time.monotonic(), ahead))

    def take(self, event: bytes) -> EventHeaders | None:
        """The headers of an event that has arrived; None: it has none."""
        oldest, crc = time.monotonic() - _SECONDS, zlib.crc32(event)
        while self.arrived and self.arrived[0][0] < oldest:
            self.arrived.popleft()
        for index, (_, ahead) in enumerate(self.arrived):
            if ahead.crc == crc and ahead.size == len(event):
                del self.arrived[index]
                return ahead
        return None
