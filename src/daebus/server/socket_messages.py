"""The messages of a WebSocket as ASGI has them, made of frames and into frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from .frames import BINARY, TEXT, frame

__all__ = ["Message", "frame_of", "received", "size_of"]

Message = Mapping[str, object]


def received(opcode: int, payload: str | bytes) -> Message:
    """A message that a client has sent."""
    return {"type": "websocket.receive", "text" if opcode == TEXT else "bytes": payload}


def frame_of(message: Message) -> bytes:
    """The frame of a message that is sent to a client."""
    text = message.get("text")
    if isinstance(text, str):
        return frame(TEXT, text.encode())
    return frame(BINARY, cast("bytes", message.get("bytes") or b""))


def size_of(message: Message) -> int:
    """How much a client has sent, in characters or bytes."""
    return len(cast("str | bytes", message.get("text") or message.get("bytes") or b""))
