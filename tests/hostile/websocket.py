"""Hostile WebSockets: messages, frames, handshakes, and clients that are slow or leave without a word."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote_from_bytes

from .crowd import run_crowd
from .inputs import Hostile
from .target import PATIENCE, Tally, Target

__all__ = ["SocketClient", "attack_websocket"]

_MOST_PARKED = 64
_TURN = 25
_TEXT, _BINARY, _CLOSE, _PING = 1, 2, 8, 9
_USER = {"id": "u1", "age": 36, "tags": ["a"], "address": {"street": "x", "zip": "12345"}, "scores": {"a": 1.5}}
_POSITION = {"epoch": "3fa85f64", "offset": 1}
_OF_ROOMS: dict[str, object] = {
    "join": {"room": "room:a", "since": _POSITION},
    "leave": {"room": "room:a"},
    "resume": {"rooms": {"room:a": _POSITION, "room:b": _POSITION}},
}


class SocketClient:
    """A client that can send any frame: ``await SocketClient.open(port)``.

    Attributes:
        sent: How the last frames began.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent: deque[bytes] = deque(maxlen=_TURN)

    @classmethod
    async def open(cls, port: int, query: bytes = b"", headers: bytes = b"") -> SocketClient | bytes:
        """Connect; the response, where the service refuses."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(b"0123456789abcdef")
        request = b"GET /ws?" + query + b" HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(request + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n" + headers + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " in head.split(b"\r\n", 1)[0]:
            return cls(reader, writer)
        writer.close()
        return head + await reader.read()

    def send(self, payload: bytes, opcode: int = _TEXT, *, final: bool = True) -> None:
        """Send a frame."""
        first = opcode | (0x80 if final else 0)
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", first, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", first, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, size)
        self.send_raw(head + bytes(4) + payload)  # masked, with zeros

    def send_raw(self, data: bytes) -> None:
        """Send bytes that may be a frame, or not."""
        self._writer.write(data)
        self.sent.append(data[:60])

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: its opcode and what it holds. Raises where the connection has ended."""
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 0x0F, await self._reader.readexactly(size)

    def close(self) -> None:
        """Hang up, without a word."""
        self._writer.close()


async def attack_websocket(target: Target, hostile: Hostile, inputs: int) -> Tally:
    """Send that many hostile inputs; honest messages in between have to be answered."""
    tally = Tally("websocket")
    site = _Site(target.port, tally)
    await run_crowd(tally, target, hostile.random.randrange(1 << 30), inputs, site.attack, site.probe)
    site.leave()
    return tally


class _Site:
    def __init__(self, port: int, tally: Tally) -> None:
        self._port = port
        self._tally = tally
        self._parked: list[SocketClient] = []
        self._probes = 0
        self._honest: SocketClient | None = None
        self._ways: tuple[tuple[Callable[[SocketClient, Hostile], bool], int], ...] = (
            (_message, 80),
            (_fragments, 9),
            (_ping, 4),
            (_not_text, 1),
            (_violation, 2),
        )

    def leave(self) -> None:
        for client in [*self._parked, *([self._honest] if self._honest else [])]:
            client.close()

    async def probe(self) -> None:
        """A client that has been there all the time still has its answers."""
        if self._honest is None:
            opened = await SocketClient.open(self._port)
            self._honest = opened if isinstance(opened, SocketClient) else None
        if self._honest is None or not await self._is_answered(self._honest):
            self._tally.hang("the honest client")

    async def attack(self, hostile: Hostile, count: int) -> None:
        """Send so many inputs, over one connection as long as it lasts."""
        client: SocketClient | None = None
        unanswered = 0
        for _ in range(count):
            if hostile.random.random() < 0.03:
                await self._knock(hostile)
                continue
            client = client or await self._enter()
            way, _ = hostile.random.choices(self._ways, [weight for _, weight in self._ways])[0]
            stays = way(client, hostile)
            unanswered += 1
            if not stays or unanswered >= _TURN:
                unanswered = 0
                if not await self._is_answered(client, must=stays) or hostile.random.random() < 0.02:
                    client.close()
                    client = None
        if client is not None:
            client.close()

    async def _enter(self) -> SocketClient:
        async with asyncio.timeout(PATIENCE):
            opened = await SocketClient.open(self._port, b"room=1")
        if not isinstance(opened, SocketClient):
            raise ConnectionRefusedError(f"An honest client was refused: {opened!r}")
        return opened

    async def _is_answered(self, client: SocketClient, *, must: bool = True) -> bool:
        """Whether an honest message has its answer, after all that was sent before."""
        self._probes += 1
        mark = f"probe-{self._probes}"
        try:
            async with asyncio.timeout(PATIENCE):
                client.send(json.dumps({"type": "echo", "id": mark, "data": mark}).encode())
                while True:
                    opcode, data = await client.receive()
                    self._tally.look(data)
                    if opcode == _CLOSE:
                        return False
                    if mark.encode() in data:
                        return True
        except TimeoutError:
            self._tally.hang((mark, *client.sent))
        except (OSError, asyncio.IncompleteReadError) as error:
            if must:
                self._tally.hang(error)
        return False

    async def _knock(self, hostile: Hostile) -> None:
        """Connect in a hostile way; go at once, or stay and say nothing, or half a message."""
        part = hostile.random.choice((hostile.text().encode(), hostile.noise(), b"9" * 400))
        query = b"room=" + quote_from_bytes(part).encode() + b"&tags=a&tags=%ff&room=" + b"1"
        header = b"X: " + hostile.noise().translate(None, bytes(range(32)) + b"\x7f") + b"\r\n"
        try:
            async with asyncio.timeout(PATIENCE):
                opened = await SocketClient.open(self._port, query, header)
        except TimeoutError:
            self._tally.hang(query)
            return
        except (OSError, asyncio.IncompleteReadError):
            return
        if isinstance(opened, bytes):
            self._tally.look(opened)
            return
        opened.send_raw(hostile.random.choice((b"", b"\x81", b"\x81\xfe\xff\xff0000abc", b"\x01\x80\x00\x00\x00\x00")))
        if len(self._parked) < _MOST_PARKED:
            self._parked.append(opened)
        else:
            opened.close()


def _message(client: SocketClient, hostile: Hostile) -> bool:
    body = _envelope(hostile)
    is_text = hostile.random.random() < 0.85 and _is_utf8(body)
    client.send(body, _TEXT if is_text else _BINARY)
    return True


def _fragments(client: SocketClient, hostile: Hostile) -> bool:
    body = _envelope(hostile)
    cuts = sorted(hostile.random.randrange(len(body) + 1) for _ in range(hostile.random.randint(1, 5)))
    parts = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    for number, part in enumerate(parts):
        client.send(part, _BINARY if number == 0 else 0, final=number == len(parts) - 1)
        if hostile.random.random() < 0.2 and number < len(parts) - 1:
            client.send(b"x", _PING)
    return True


def _ping(client: SocketClient, hostile: Hostile) -> bool:
    client.send(hostile.noise(), hostile.random.choice((_PING, _PING + 1)))
    return True


def _not_text(client: SocketClient, hostile: Hostile) -> bool:
    client.send(b'{"type":"echo","data":"\xff\xfe"}')
    return False


def _violation(client: SocketClient, hostile: Hostile) -> bool:
    frames = (
        b"\x81\x02hi",  # not masked
        b"\xf1\x80\x00\x00\x00\x00",  # reserved bits
        b"\x83\x80\x00\x00\x00\x00",  # reserved opcode
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # 2 ** 64 - 1 bytes
        b"\x80\x80\x00\x00\x00\x00",  # the rest of nothing
        b"\x09\x80\x00\x00\x00\x00",  # a ping in fragments
        b"\x89\xfe\x01\x00\x00\x00\x00\x00" + b"x" * 256,  # a long ping
        b"\x88\x82\x00\x00\x00\x00\x00\x01",  # closed with a code that there is not
        b"\x88\x81\x00\x00\x00\x00\x00",  # half a code
        b"\x88\x80\x00\x00\x00\x00",
    )
    client.send_raw(hostile.random.choice(frames))
    return False


def _envelope(hostile: Hostile) -> bytes:
    name = hostile.random.choice(("echo", "user", "silent", "nobody", "door", "tell", *_OF_ROOMS))
    data = _OF_ROOMS.get(name, _USER)
    message_id = hostile.random.choice((7, "x", 1 << 62, None))
    if hostile.random.random() < 0.4:
        mark = "\x01here\x01"
        whole = json.dumps({"type": name, "data": mark, "id": message_id}).encode()
        return whole.replace(json.dumps(mark).encode(), hostile.value(data))
    return hostile.json({"type": name, "data": data, "id": message_id})


def _is_utf8(body: bytes) -> bool:
    with suppress(UnicodeDecodeError):
        body.decode()
        return True
    return False
