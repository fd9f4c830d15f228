"""Answers that do not wait for the body of their request: the client gets them although it still sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from daebus.server.draining import BODY_RECEIVED, drain, draining
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

PART = b"x" * 100_000
PARTS = 40
LENGTH = f"content-length: {len(PART) * PARTS}"
NEXT = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/begun":
        await receive()
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


@asynccontextmanager
async def connected() -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = HttpServer(refuse, host="127.0.0.1", port=0, logger=make_logger())
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.stop(0)


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(3):
        head = await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"no"
    return head.split(b"\r\n", 1)[0]


def head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: a", *headers, "", ""]).encode()


class TestOwnServer:
    @pytest.mark.parametrize("path", ["/", "/begun"])
    @pytest.mark.parametrize("is_chunked", [False, True])
    async def test_a_client_gets_the_answer_after_its_upload(self, path: str, is_chunked: bool) -> None:
        async with connected() as (reader, writer):
            writer.write(head(path, "transfer-encoding: chunked" if is_chunked else LENGTH))
            for _ in range(PARTS):
                writer.write(b"%x\r\n%b\r\n" % (len(PART), PART) if is_chunked else PART)
                await writer.drain()  # fails if the connection was reset
                await asyncio.sleep(0.001)
            writer.write(b"0\r\n\r\n" if is_chunked else b"")
            assert await answer(reader) == b"HTTP/1.1 401 Unauthorized"
            writer.write(NEXT)
            assert await answer(reader) == b"HTTP/1.1 401 Unauthorized"

    async def test_a_client_that_waits_for_permission_is_answered_at_once(self) -> None:
        async with connected() as (reader, writer):
            begun = time.monotonic()
            writer.write(head("/", LENGTH, "expect: 100-continue"))
            assert await answer(reader) == b"HTTP/1.1 401 Unauthorized"
            assert time.monotonic() - begun < 2


async def test_the_time_and_the_size_are_limited() -> None:
    received: list[bytes] = []

    async def endless() -> Any:
        received.append(PART)
        return {"type": "http.request", "body": PART, "more_body": True}

    async def silent() -> Any:
        await asyncio.Event().wait()

    async with asyncio.timeout(2):
        await drain({}, endless, left=2 * len(PART))
        await drain({}, silent, seconds=0.01)
    assert len(received) == 2


async def test_another_server_passes_the_answer_on_after_the_body() -> None:
    events: list[object] = []
    parts = [{"type": "http.request", "body": b"x", "more_body": more} for more in (True, True, False)]

    async def receive() -> Any:
        events.append("part")
        return parts.pop(0)

    async def send(message: Any) -> None:
        events.append(message.get("body", "start"))

    scope: MutableMapping[str, Any] = {"headers": [(b"content-length", b"3")], "path": "/begun"}
    await refuse(scope, *draining(scope, receive, send))
    assert events == ["part", "start", "part", "part", b"no"]
    assert scope[BODY_RECEIVED] is True
