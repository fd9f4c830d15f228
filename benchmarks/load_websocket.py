"""The load for WebSockets: many clients, one thread, bare sockets; the same one for all peers.

It does little more than to count frames, so that the server is what is measured.
"""

from __future__ import annotations

import json
import resource
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from .cases import PeerError

__all__ = ["Crowd", "room_for"]

_SECONDS = 20.0
_AT_ONCE = 100
_CHUNK = 1 << 14  # small, as the allocation costs more than the reading
_PAUSE = 0.001  # so that many messages are read in one go, instead of waking up for each
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


def room_for(sockets: int) -> None:
    """Let this process, and those it starts, open so many sockets. Raises `PeerError` where the system forbids it."""
    wanted = sockets + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise PeerError(f"needs {wanted} open files, and the system allows {hard}")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _frame(opcode: int, payload: bytes) -> bytes:
    """A frame as clients send it. The mask is zero: it costs us nothing, and the server its usual work."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size, 0, 0, 0, 0)) + payload
    return bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big") + bytes(4) + payload


def _message(kind: str, text: str, **more: object) -> bytes:
    return _frame(_TEXT, json.dumps({"type": kind, "data": {"text": text}, **more}).encode())


class _Client:
    """One connection."""

    __slots__ = ("_got", "socket")

    def __init__(self, port: int) -> None:
        self._got = b""
        self.socket = socket.create_connection(("127.0.0.1", port), _SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def finish_opening(self) -> None:
        """Wait for the server's consent."""
        while b"\r\n\r\n" not in self._got:
            data = self.socket.recv(_CHUNK)
            if not data:
                raise PeerError("closes WebSockets at once")
            self._got += data
        head, _, self._got = self._got.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise PeerError(f"refuses WebSockets: {head[:60]!r}")
        self.socket.settimeout(None)  # with a timeout, each call would be two

    def receive(self) -> int:
        """Read what is there. Returns how many messages have come in whole."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise PeerError("closed a WebSocket")
        got = self._got + data if self._got else data
        at = messages = 0
        while len(got) - at >= 2:
            size, start = got[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(got[at + 2 : start], "big")
            if len(got) < start + size:
                break
            opcode = got[at] & 15
            if opcode == _TEXT:
                messages += 1
            elif opcode == _PING:
                self.socket.sendall(_frame(_PONG, got[start : start + size]))
            at = start + size
        self._got = got[at:]
        return messages


_JOIN = _frame(_TEXT, b'{"type":"join","data":{"room":"all"},"id":1}')


class Crowd:
    """Many clients of one server, connected until it is closed. Raises `PeerError` where the server does not play."""

    def __init__(self, port: int, size: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        try:
            for start in range(0, size, _AT_ONCE):
                batch = [_Client(port) for _ in range(min(_AT_ONCE, size - start))]
                self._clients += batch
                for client in batch:
                    client.finish_opening()
                    self._selector.register(client.socket, selectors.EVENT_READ, client)
        except OSError as error:
            self.close()
            raise PeerError(f"takes no more than {len(self._clients)} WebSockets: {error}") from error

    def close(self) -> None:
        """Disconnect all of them."""
        for client in self._clients:
            with suppress(OSError):
                client.socket.sendall(_frame(_CLOSE, (1000).to_bytes(2, "big")))
            client.socket.close()
        self._selector.close()

    def echo(self, seconds: float, text: str) -> float:
        """Each client sends, waits for its answer, sends again. Returns the messages a second."""
        message, answered = _message("echo", text, id=1), 0
        deadline = time.perf_counter() + seconds

        def hear(client: _Client, messages: int) -> None:
            nonlocal answered
            answered += messages
            if messages and time.perf_counter() < deadline:
                client.socket.sendall(message)

        started = time.perf_counter()
        for client in self._clients:
            client.socket.sendall(message)
        self._listen(hear, lambda: time.perf_counter() > deadline)
        rate = answered / (time.perf_counter() - started)
        self.idle(0.05)  # the last answers do not count
        return rate

    def join(self) -> None:
        """Enter the room ``all`` of daebus."""
        for client in self._clients:
            client.socket.sendall(_JOIN)
        answered = 0

        def hear(_: _Client, messages: int) -> None:
            nonlocal answered
            answered += messages

        self._listen(hear, lambda: answered >= len(self._clients))

    def broadcast(self, seconds: float, text: str, kind: str = "broadcast") -> float:
        """One client asks for a broadcast, all hear it, then the next one. Returns the messages delivered a second."""
        message, heard, owed = _message(kind, text), 0, 0

        def hear(_: _Client, messages: int) -> None:
            nonlocal heard
            heard += messages

        def everybody_heard() -> bool:
            return heard >= owed

        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            self._clients[0].socket.sendall(message)
            owed += len(self._clients)
            self._listen(hear, everybody_heard, pause=_PAUSE)
        return heard / (time.perf_counter() - started)

    def idle(self, seconds: float) -> None:
        """Do nothing for a while, but answer pings."""
        deadline = time.perf_counter() + seconds
        self._listen(lambda _, __: None, lambda: time.perf_counter() > deadline)

    def _listen(self, hear: Callable[[_Client, int], None], done: Callable[[], bool], *, pause: float = 0.0) -> None:
        patience = time.perf_counter() + _SECONDS
        try:
            while not done():
                for key, _ in self._selector.select(0.05):
                    hear(key.data, key.data.receive())
                if pause:
                    time.sleep(pause)
                if time.perf_counter() > patience:
                    raise PeerError(f"does not send what it owes within {_SECONDS:g} s")
        except OSError as error:
            raise PeerError(f"broke off: {error!r}") from error
