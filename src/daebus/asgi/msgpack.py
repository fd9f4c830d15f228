"""MessagePack instead of JSON, in requests and responses, for clients that ask for it by their headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.datastructures.headers import Accept
from litestar.types import Message, Receive, Scope, Send

from daebus.errors import BadRequest, ServiceError, TooLarge

from .conditions import lower_headers, other_headers
from .encoded import Encoded, encoded_problem

__all__ = ["MESSAGE_PACK", "decoding", "encoding"]

MESSAGE_PACK = "application/msgpack"
_PLAIN = (b"application/msgpack", b"application/x-msgpack", b"application/vnd.msgpack")
_OF_BODY = (b"content-length", b"content-type")


async def decoding(scope: Scope, receive: Receive, most: int) -> tuple[Receive, Encoded | None]:
    """ASGI's ``receive`` of a request; a body in MessagePack is received as JSON, and the scope says so.

    Args:
        scope: The scope of the request, whose headers are replaced.
        receive: ASGI's.
        most: The largest body in bytes.

    Returns:
        ``receive``, and the answer to a body that is refused, as it is not MessagePack or is too large.
    """
    try:
        return await _decoded(scope, receive, most), None
    except ServiceError as error:
        return receive, encoded_problem(scope, error.status, error.code, error.message, error.details)


async def _decoded(scope: Scope, receive: Receive, most: int) -> Receive:
    given = lower_headers(scope["headers"]).get(b"content-type", b"")
    if given.partition(b";")[0].strip().lower() not in _PLAIN:
        return receive
    parts, size, message = list[bytes](), 0, await receive()
    while message["type"] == "http.request":
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            raise TooLarge(f"The body has more than {most} bytes", details={"limit": most})
        if not message.get("more_body"):
            break
        message = await receive()
    try:
        body = msgspec.json.encode(msgspec.msgpack.decode(b"".join(parts))) if size else b""
    except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError) as error:
        raise BadRequest(f"The body is not valid MessagePack: {error}") from error
    if len(body) > most:
        raise TooLarge(f"The body has more than {most} bytes as JSON", details={"limit": most})
    _replace(scope, body)
    kept: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_rest() -> Any:
        return kept.pop() if kept else await receive()

    return receive_rest


def _replace(scope: Scope, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    scope["headers"] = [*other_headers(scope["headers"], _OF_BODY), (b"content-type", b"application/json"), length]


def encoding(scope: Scope, send: Send) -> Send:
    """ASGI's ``send`` of a response; for a client that prefers MessagePack, JSON is sent as such."""
    accept = lower_headers(scope["headers"]).get(b"accept", b"").decode("latin-1")
    if "msgpack" not in accept or Accept(accept).best_match(["application/json", MESSAGE_PACK]) != MESSAGE_PACK:
        return send
    start: Message | None = None
    parts: list[bytes] = []

    async def send_packed(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_json(message["headers"]):
            start = message
        elif start is None or message["type"] != "http.response.body":
            await send(message)
        else:
            parts.append(message["body"])
            if not message["more_body"]:
                await _send_packed(start, b"".join(parts), send)

    return send_packed


def _is_json(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    given = lower_headers(headers)
    kind = given.get(b"content-type", b"").partition(b";")[0].strip()
    return kind.endswith((b"/json", b"+json")) and not {b"content-encoding", b"content-disposition"} & given.keys()


async def _send_packed(start: Any, body: bytes, send: Send) -> None:
    packed = msgspec.msgpack.encode(msgspec.json.decode(body)) if body else b""
    kind, length = (b"content-type", MESSAGE_PACK.encode()), (b"content-length", b"%d" % len(packed))
    start["headers"] = [*other_headers(start["headers"], _OF_BODY), kind, length, (b"vary", b"Accept")]
    await send(start)
    await send({"type": "http.response.body", "body": packed, "more_body": False})
