"""The reader of the messages of a WebSocket connection; it reads ahead while a handler runs for a long time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from daebus.asgi.handshake import Handshake
from daebus.errors import Unauthorized

__all__ = ["Reader"]

_MAX_MESSAGES, _MAX_SIZE = 16, 1_048_576  # read ahead at most; size in characters or bytes, without the last message


class Reader:
    """The messages of one client, in the order in which they came.

    Nothing is read ahead until `look` finds that a handler takes long. Reading ahead is the only way to notice that the
    client has cancelled its message, or has disconnected, while a handler runs.

    Args:
        handshake: The handshake, which receives messages.
        on_gone: Called if the client disconnects during reading ahead.
        on_ahead: Called with each message that is read ahead; returns whether the message is handled by that.

    Attributes:
        is_over: Whether the client has disconnected, so that no more messages come.
        is_ahead: Whether the next message must come from `next`; otherwise it can be received from the server directly,
            which needs one coroutine less.
    """

    def __init__(
        self, handshake: Handshake, on_gone: Callable[[], None], on_ahead: Callable[[str | bytes], bool]
    ) -> None:
        self._handshake = handshake
        self._on_gone = on_gone
        self._on_ahead = on_ahead
        self._messages: deque[str | bytes] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_awaited = False
        self._seen: str | bytes | None = None
        self.is_over: bool = False
        self.is_ahead: bool = False

    async def accept(self) -> None:
        """Accept the client."""
        with suppress(Exception):  # the server's way of saying that the client has gone; `first` says so, too
            await self._handshake.accept()

    async def first(self, seconds: float) -> str | bytes:
        """The first message of a client that was accepted. Raises `Unauthorized` if none comes within this time."""
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise Unauthorized(f"The client has sent no credentials within {seconds:g} s") from None
        if message is None:
            raise Unauthorized("The client has left before its login")
        return message

    async def next(self) -> str | bytes | None:
        """The next message; None: the client has disconnected."""
        while not self._messages:
            if self._task is None:
                self.is_ahead = self.is_over
                return await self._receive()
            self._arrived.clear()
            self._is_awaited = True
            await self._arrived.wait()
            self._is_awaited = False
        return self._messages.popleft()

    def message_of(self, event: Mapping[str, object]) -> str | bytes | None:
        """The message in an event of the server; None: the client has disconnected."""
        text = event.get("text")
        if isinstance(text, str):
            return text
        data = event.get("bytes")
        if isinstance(data, bytes):
            return data
        self.end()
        return None

    def end(self) -> None:
        """Receive nothing more from the server."""
        self.is_over = self.is_ahead = True

    def look(self, handled: str | bytes) -> None:
        """Read ahead if this message was handled at the last look, too: its handler takes long."""
        if self._seen is handled and self._task is None and not self.is_over:
            self.is_ahead = True
            self._task = asyncio.create_task(self._read_ahead())
        self._seen = handled

    async def stop(self) -> None:
        """Stop reading ahead."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _read_ahead(self) -> None:
        try:
            while len(self._messages) < _MAX_MESSAGES and sum(map(len, self._messages)) < _MAX_SIZE:
                message = await self._receive()
                if message is None:
                    self._arrived.set()
                    self._on_gone()
                    break
                if not self._on_ahead(message):
                    self._messages.append(message)
                    self._arrived.set()
                if self._is_awaited:  # the handler is done: the next message can be received directly again
                    break
        finally:
            self._task = None

    async def _receive(self) -> str | bytes | None:
        if self.is_over:
            return None
        try:
            return self.message_of(await self._handshake.receive())
        except Exception:  # the server's way of saying that the client has gone
            return self.message_of({})
