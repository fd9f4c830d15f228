"""WebSocket frames (RFC 6455): frames of clients are decoded to messages, messages to clients are encoded.

A message that is too large is refused when its length is read, before its bytes are stored.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "BrokenFrame",
    "Frame",
    "FrameReader",
    "close_code",
    "close_frame",
    "frame",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_SHORT, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127
_KNOWN = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_LONGEST_REASON = 123  # bytes that a close frame can hold
_PROTOCOL_ERROR, _NO_UTF8, _TOO_LARGE = 1002, 1007, 1009
_WHOLE_TEXT = _FIN | TEXT
_CODE = 2  # bytes
_NO_CODE = 1005
_SENT_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})  # others are never sent

Frame = tuple[int, str | bytes]
"""An opcode and its payload: text is a `str`."""


class BrokenFrame(Exception):
    """A client sent an invalid frame or a message that is too large.

    Args:
        code: The close code for the connection.
        reason: A short reason.

    Attributes:
        before: The complete messages before it.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code: int = code
        self.reason: str = reason
        self.before: Sequence[Frame] = ()


class FrameReader:
    """Decodes the messages of one client from the received bytes.

    Args:
        limit: The largest message in bytes.

    Attributes:
        messages: How many messages have been read.
        held: How many bytes of an incomplete message are stored.
    """

    __slots__ = ("_kind", "_limit", "_message", "_needs", "_rest", "_short", "held", "messages")

    def __init__(self, limit: int) -> None:
        self.messages: int = 0
        self.held: int = 0
        self._limit = limit
        self._short = min(_SHORT, limit)
        self._rest = bytearray()  # of an incomplete frame
        self._needs = 0  # bytes of it that are needed to continue
        self._message = bytearray()  # of a fragmented message
        self._kind = 0  # its opcode; 0: there is none

    @property
    def is_halfway(self) -> bool:
        """Whether a message has begun, and is not complete."""
        return self._kind != 0 or bool(self._rest)

    def clear(self) -> None:
        """Drop the stored bytes; nothing more is read."""
        self._rest, self._message = bytearray(), bytearray()
        self.held = 0

    def feed(self, data: bytes) -> Sequence[Frame]:
        """The messages and control frames that are complete now, in order. Raises `BrokenFrame`."""
        length = len(data) - 6
        # Most messages are short texts that arrive alone and in one piece: these are read in one step.
        if (
            0 <= length <= self._short
            and data[0] == _WHOLE_TEXT
            and data[1] == _MASKED | length
            and not (self._rest or self._kind)
        ):
            mask = int.from_bytes((data[2:6] * (length // 4 + 1))[:length])
            try:
                text = (int.from_bytes(data[6:]) ^ mask).to_bytes(length).decode()
            except UnicodeDecodeError:
                raise BrokenFrame(_NO_UTF8, "Text is UTF-8") from None
            self.messages += 1
            return ((TEXT, text),)
        if self._rest:
            self._rest += data
            self.held += len(data)
            if len(self._rest) < self._needs:
                return ()
            data = bytes(self._rest)
            self._rest.clear()
        found: list[Frame] = []
        try:
            self._read(data, found)
        except BrokenFrame as error:
            error.before = found
            raise
        finally:
            self.held = len(self._rest) + len(self._message)
        return found

    def _read(self, data: bytes, found: list[Frame]) -> None:
        position, end = 0, len(data)
        while end - position >= 2:  # bytes of the shortest header
            start, length, whole = self._read_header(data, position, end)
            if not whole:
                self._needs = start + length - position
                break
            stop = start + length
            payload = _unmask(data[start:stop], data[start - 4 : start])
            self._take(data[position], payload, found)
            position = stop
        else:
            self._needs = 2
        if position < end:
            self._rest += data[position:] if position else data

    def _read_header(self, data: bytes, position: int, end: int) -> tuple[int, int, bool]:
        """Where the payload begins, how long it is, and whether all of it is there."""
        first, second = data[position], data[position + 1]
        length, start = second & _LENGTH, position + 6
        if length >= _TWO_BYTES:
            size = 2 if length == _TWO_BYTES else 8
            start += size
            if end < start:
                return start, 0, False
            length = int.from_bytes(data[position + 2 : position + 2 + size])
        opcode = first & _OPCODE
        if not second & _MASKED or first & _RESERVED or opcode not in _KNOWN:
            raise BrokenFrame(_PROTOCOL_ERROR, "This is no frame of a WebSocket client")
        if opcode >= CLOSE:
            if length > _SHORT or not first & _FIN:
                raise BrokenFrame(_PROTOCOL_ERROR, "A control frame is short, and in one piece")
        elif (opcode == CONTINUATION) is (self._kind == 0):
            raise BrokenFrame(_PROTOCOL_ERROR, "The frames of a message are out of order")
        elif len(self._message) + length > self._limit:
            raise BrokenFrame(_TOO_LARGE, f"A message has at most {self._limit} bytes")
        return start, length, start + length <= end

    def _take(self, first: int, payload: bytes, found: list[Frame]) -> None:
        opcode = first & _OPCODE
        if opcode >= CLOSE:
            found.append((opcode, payload))
            return
        if opcode == CONTINUATION or not first & _FIN:
            self._message += payload
            self._kind = self._kind or opcode
            if not first & _FIN:
                return
            opcode, payload, self._kind = self._kind, bytes(self._message), 0
            self._message.clear()
        self.messages += 1
        if opcode == BINARY:
            found.append((opcode, payload))
            return
        try:
            found.append((opcode, payload.decode()))
        except UnicodeDecodeError:
            raise BrokenFrame(_NO_UTF8, "Text is UTF-8") from None


def frame(opcode: int, payload: bytes) -> bytes:
    """A frame to a client."""
    length = len(payload)
    if length <= _SHORT:
        return bytes((_FIN | opcode, length)) + payload
    if length < 1 << 16:
        return bytes((_FIN | opcode, _TWO_BYTES)) + length.to_bytes(2) + payload
    return bytes((_FIN | opcode, _EIGHT_BYTES)) + length.to_bytes(8) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame. A reason that is too long is truncated."""
    shortened = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
    return frame(CLOSE, code.to_bytes(2) + shortened.encode())


def close_code(payload: bytes) -> int:
    """The code of a client's close frame; 1005 if it has none. Raises `BrokenFrame`."""
    if not payload:
        return _NO_CODE
    code = int.from_bytes(payload[:_CODE])
    if len(payload) < _CODE or code not in _SENT_CODES:
        raise BrokenFrame(_PROTOCOL_ERROR, "A close frame has a code that may be sent, or none")
    try:
        payload[_CODE:].decode()
    except UnicodeDecodeError:
        raise BrokenFrame(_NO_UTF8, "Text is UTF-8") from None
    return code


def _unmask(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)
