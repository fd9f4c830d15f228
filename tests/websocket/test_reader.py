"""Reading ahead while a handler takes long, and only then."""

from __future__ import annotations

import asyncio
from typing import cast

from tests.support import until

from daebus.asgi.handshake import Handshake
from daebus.websocket.reader import Reader


class Server:
    """What the server receives of one client."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.waits = False

    async def receive(self) -> dict[str, str]:
        self.waits = True
        event = await self.events.get()
        self.waits = False
        return event

    def send(self, text: str) -> None:
        self.events.put_nowait({"text": text})


async def test_messages_are_read_ahead_only_while_a_handler_takes_long() -> None:
    server = Server()
    reader = Reader(cast("Handshake", server), lambda: None, lambda message: message == "cancel")
    for handled in ("a", "b", "b"):
        assert not reader.is_ahead
        reader.look(handled)
    await until(lambda: server.waits)
    for text in ("cancel", "c", "d"):
        server.send(text)
    await until(server.events.empty)
    assert [await reader.next() for _ in range(2)] == ["c", "d"]
    waiting = asyncio.create_task(reader.next())
    await asyncio.sleep(0)
    server.send("e")
    assert await waiting == "e"
    await until(lambda: not server.waits)  # nothing is read ahead any more
    server.send("f")
    assert await reader.next() == "f"
    assert not reader.is_ahead
    await reader.stop()
