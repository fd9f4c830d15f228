"""``python -m tests.hostile.greedy PORT SECONDS``: clients that do the worst that is allowed, at each door."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

__all__ = ["GREEDY"]

_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_MB = 1_000_000


async def _send(client: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(client, data)


async def _until_cut(client: socket.socket) -> None:
    """Take nothing but the end of the connection, and one byte now and then, which is no answer."""
    more = True
    while more:
        more = bool(await asyncio.get_running_loop().sock_recv(client, 1))
        await asyncio.sleep(more)


async def _shake(client: socket.socket) -> None:
    await _send(client, _HANDSHAKE)
    await asyncio.get_running_loop().sock_recv(client, 4096)


async def idle(client: socket.socket) -> None:
    await _until_cut(client)


async def half_a_header(client: socket.socket) -> None:
    await _send(client, b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)
    await _until_cut(client)


async def half_a_body(client: socket.socket) -> None:
    head = (
        b"POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    )
    await _send(client, head + b"x" * 999_999)
    await _until_cut(client)


async def an_unread_answer(client: socket.socket) -> None:
    await _send(client, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await _until_cut(client)


async def an_idle_socket(client: socket.socket) -> None:
    await _shake(client)
    await _until_cut(client)


async def half_a_message(client: socket.socket) -> None:
    await _shake(client)
    await _send(client, b"\x81\xff" + (2 * _MB).to_bytes(8) + b"\0\0\0\0" + b"x" * (2 * _MB - 1))
    await _until_cut(client)


async def unread_messages(client: socket.socket) -> None:
    await _shake(client)
    body = b'{"type":"echo","data":"' + b"x" * 900_000 + b'"}'
    frame = b"\x81\xff" + len(body).to_bytes(8) + b"\0\0\0\0" + body
    while True:
        await _send(client, frame)


GREEDY: list[tuple[Callable[[socket.socket], Awaitable[None]], int]] = [
    (idle, 150),
    (half_a_header, 40),
    (half_a_body, 60),
    (an_unread_answer, 60),
    (an_idle_socket, 40),
    (half_a_message, 40),
    (unread_messages, 20),
]
"""What they do, and how many do it."""


async def _again_and_again(work: Callable[[socket.socket], Awaitable[None]], port: int, host: str) -> None:
    while True:
        with socket.socket() as client, suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.bind((host, 0))
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
            await work(client)
        await asyncio.sleep(1)


async def main(port: int, seconds: float) -> None:
    hosts = [f"127.0.0.{number}" for number in range(2, 12)]
    works = [work for work, count in GREEDY for _ in range(count)]
    tasks = [
        asyncio.create_task(_again_and_again(work, port, hosts[number % len(hosts)]))
        for number, work in enumerate(works)
    ]
    await asyncio.wait(tasks, timeout=seconds)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
