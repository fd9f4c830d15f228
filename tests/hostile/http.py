"""Hostile HTTP: bodies, paths, queries, headers, framing, and senders that are slow or give up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote_from_bytes

import httpx

from .crowd import run_crowd
from .inputs import Hostile
from .target import PATIENCE, Tally, Target

__all__ = ["attack_http"]

_MOST_PARKED = 64
_USER = {"id": "u1", "age": 36, "tags": ["a"], "address": {"street": "x", "zip": "12345"}, "scores": {"a": 1.5}}
_PLACES = (("POST", "/users"), ("POST", "/anything"), ("PUT", "/users/u1"), ("PUT", "/door/u1"), ("DELETE", "/users"))
_TYPES = (
    b"application/json",
    b"application/json; charset=utf-16",
    b"application/problem+json",
    b"application/x-www-form-urlencoded",
    b"application/msgpack",
    b"application/x-msgpack",
    b"multipart/form-data",
    b"multipart/form-data; boundary=x",
    b"text/plain",
    b"text/html; charset=\xff",
    b"/",
    b";;;",
    b"",
)
_GARBLED = (
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /users HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /users HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-%d: y\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 500_000 + b"\r\n\r\n",
    b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff\xff",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
)


async def attack_http(target: Target, hostile: Hostile, inputs: int) -> Tally:
    """Send that many hostile requests; an honest one after each round has to be answered."""
    tally = Tally("http")
    site = _Site(target.port, tally)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{target.port}", timeout=PATIENCE) as client:

        async def probe() -> None:
            try:
                answer = await client.post("/users", json=_USER)
                assert answer.json()["id"] == "u1"
            except (httpx.HTTPError, AssertionError) as error:
                tally.hang(error)

        seed = hostile.random.randrange(1 << 30)
        await run_crowd(tally, target, seed, inputs, site.attack, probe)
        site.leave()
    return tally


class _Site:
    """Who attacks one server.

    Args:
        port: Where it listens.
        tally: What comes of it.
    """

    def __init__(self, port: int, tally: Tally) -> None:
        self._port = port
        self._tally = tally
        self._parked: list[asyncio.StreamWriter] = []

    def leave(self) -> None:
        """Let go of the connections on which nothing more was sent."""
        for writer in self._parked:
            writer.close()

    async def attack(self, hostile: Hostile, count: int) -> None:
        """Send so many requests, over one connection as long as it lasts."""
        connection: _Connection | None = None
        for _ in range(count):
            whole = hostile.random.random()
            if whole < 0.04:
                await self._send_garbled(hostile, hostile.random.choice(_GARBLED))
            elif whole < 0.07:
                await self._give_up(hostile)
            else:
                connection = connection or await _Connection.open(self._port)
                connection = await self._ask(connection, _request(hostile))
        if connection is not None:
            connection.close()

    async def _ask(self, connection: _Connection, request: bytes) -> _Connection | None:
        """Send a request that has an end, which has to be answered."""
        try:
            async with asyncio.timeout(PATIENCE):
                status, answer, keeps = await connection.ask(request)
        except TimeoutError:
            self._tally.hang(request[:300])
        except (OSError, asyncio.IncompleteReadError):
            pass  # it was refused by hanging up
        else:
            self._tally.look(answer)
            if status >= 500 or b"\nX-Injected" in answer:
                self._tally.internal += 1
            if keeps:
                return connection
        connection.close()
        return None

    async def _send_garbled(self, hostile: Hostile, request: bytes) -> None:
        connection = await _Connection.open(self._port)
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            connection.writer.write(request)
            connection.writer.write_eof()
            async with asyncio.timeout(PATIENCE):
                self._tally.look(await connection.reader.read())
        connection.close()

    async def _give_up(self, hostile: Hostile) -> None:
        """Send half a request, then go, or stay and say nothing more."""
        connection = await _Connection.open(self._port)
        request = _request(hostile)
        with suppress(OSError):
            connection.writer.write(request[: hostile.random.randrange(len(request))])
            await connection.writer.drain()
        if len(self._parked) < _MOST_PARKED and hostile.random.random() < 0.1:
            self._parked.append(connection.writer)
        else:
            connection.close()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def close(self) -> None:
        self.writer.close()

    async def ask(self, request: bytes) -> tuple[int, bytes, bool]:
        """The status, the whole response, and whether another request may follow."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = re.search(rb"(?im)^content-length: (\d+)", head)
        body = b""
        if length is not None and not request.startswith(b"HEAD"):
            body = await self.reader.readexactly(int(length[1]))
        elif re.search(rb"(?im)^transfer-encoding", head):
            return status, head, False
        return status, head + body, re.search(rb"(?im)^connection: close", head) is None


def _request(hostile: Hostile) -> bytes:
    """A request that is HTTP, at least."""
    ways: tuple[tuple[Callable[[Hostile], bytes], int], ...] = ((_body, 55), (_path, 20), (_query, 15), (_headers, 10))
    make, _ = hostile.random.choices(ways, [weight for _, weight in ways])[0]
    return make(hostile)


def _body(hostile: Hostile) -> bytes:
    random = hostile.random
    method, path = random.choices(_PLACES, (3, 3, 3, 3, 1))[0]
    body, kind = hostile.json(_USER), _TYPES[0] if random.random() < 0.6 else random.choice(_TYPES)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ".encode() + kind
    if random.random() < 0.1:
        cut = random.randrange(len(body) + 1)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part)
        return head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    return head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _path(hostile: Hostile) -> bytes:
    random = hostile.random
    part = random.choice((hostile.text().encode(), hostile.noise(), hostile.value(_USER)[:2000]))
    quoted = quote_from_bytes(part, safe="").encode() if random.random() < 0.7 else _printable(part)
    base = random.choice(
        (b"/users/", b"/numbers/", b"/things/", b"/params/", b"/count/", b"/", b"//", b"/schema/", b"/ws/")
    )
    method = random.choice((b"GET", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"BREW"))
    return method + b" " + base + quoted + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _query(hostile: Hostile) -> bytes:
    random = hostile.random
    pairs: list[bytes] = []
    for _ in range(random.randint(1, 4)):
        name = random.choice((b"page", b"since", b"scale", b"tags", hostile.noise(8)))
        part = random.choice(
            (hostile.text().encode(), hostile.noise(), json.dumps(hostile.text()).encode(), b"9" * 400)
        )
        pairs.append(name + b"=" + (quote_from_bytes(part).encode() if random.random() < 0.7 else part))
    path = random.choice(
        (b"/users/u1", b"/params/7", b"/numbers/7", b"/things/00000000-0000-0000-0000-000000000000", b"/headers")
    )
    return (
        b"GET "
        + path
        + b"?"
        + _printable(random.choice((b"&", b";", b"&&")).join(pairs))
        + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )


def _headers(hostile: Hostile) -> bytes:
    random = hostile.random
    lines: list[bytes] = []
    for _ in range(random.randint(1, 6)):
        name = random.choice(
            (b"Cookie", b"X-Request-ID", b"Accept", b"Accept-Encoding", b"Range", b"Origin", b"X-" + b"a" * 50)
        )
        part = random.choice(
            (hostile.text().encode(), hostile.noise(), b"a=" + hostile.noise() + b"; a=2", b"y" * 4000)
        )
        lines.append(name + b": " + re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"?", part))
    return b"GET /headers HTTP/1.1\r\nHost: localhost\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"


def _printable(part: bytes) -> bytes:
    """Without what ends the request line."""
    return re.sub(rb"[\x00-\x20\x7f#]", b"_", part)
