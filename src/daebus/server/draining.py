"""The rest of a request's body, which is received and dropped before the end of an answer that did not wait for it.

The connection is closed after such an answer. A client that still sends at this moment gets a reset connection, often
instead of the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = [
    "BODY_PASSED_ON",
    "BODY_RECEIVED",
    "Headers",
    "body_length",
    "drain",
    "draining",
    "has_unread_body",
    "may_have_body",
]

Headers = Iterable[tuple[bytes, bytes]]

BODY_PASSED_ON = "daebus.body_passed_on"
"""The key in a request's scope that says that each part of the body is passed on before the next one is received."""

BODY_RECEIVED = "daebus.body_received"
"""The key in a request's scope that says whether `receive` has returned the end of its body."""

_SECONDS = 5
_BYTES = 1_073_741_824  # a client at 1 Gbit/s sends less than this in the time

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def body_length(headers: Headers) -> int | None:
    """The declared length of a request's body in bytes; None if it is not declared."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def may_have_body(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request may have a body; with HTTP/1.1, its headers say so."""
    is_old: bool = scope["http_version"].startswith("1")
    return not is_old or any(_is_of_body(name, value) for name, value in scope["headers"])


def _is_of_body(name: bytes, value: bytes) -> bool:
    return name == b"transfer-encoding" or (name == b"content-length" and bool(value.strip(b"0")))


def has_unread_body(scope: MutableMapping[str, Any], *, is_begun: bool) -> bool:
    """Whether the client of a request is sending a body that was not received completely.

    Args:
        scope: The ASGI scope of the request.
        is_begun: Whether a part of the body was asked for. Only then a client that has announced it by
            ``Expect: 100-continue`` sends it.
    """
    if scope.get(BODY_RECEIVED):
        return False
    has_body = False
    for name, value in scope["headers"]:
        if name == b"expect" and not is_begun and value.lower() == b"100-continue":
            return False
        has_body = has_body or _is_of_body(name, value)
    return has_body


async def drain(
    scope: MutableMapping[str, Any], receive: Receive, *, seconds: float = _SECONDS, left: int = _BYTES
) -> None:
    """Receive the rest of a body and drop it, for some seconds and `left` bytes at most."""
    scope[BODY_PASSED_ON] = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while left > 0 and (message := await receive()).get("more_body"):
                left -= len(message.get("body", b""))


def draining(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The ``receive`` and ``send`` of another server, with the body drained before an answer ends, as by `Exchange`."""
    is_begun, is_receiving = False, False

    async def receive_and_note() -> Any:
        nonlocal is_begun, is_receiving
        is_begun = is_receiving = True
        try:
            message = await receive()
        finally:
            is_receiving = False
        if not message.get("more_body"):
            scope[BODY_RECEIVED] = True
        return message

    async def drain_and_send(message: Any) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body")
        if not is_last or is_receiving or not has_unread_body(scope, is_begun=is_begun):
            await send(message)
            return
        try:
            await drain(scope, receive_and_note)
        finally:
            await send(message)

    return receive_and_note, drain_and_send
