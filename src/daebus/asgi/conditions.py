"""Conditional requests (RFC 9110): a client that has the present version of something gets no body."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from litestar.types import HTTPScope, Send

__all__ = ["is_unchanged", "leave_uncompressed", "lower_headers", "other_headers", "sending_changes"]

_CONDITIONS = (b"if-none-match", b"if-modified-since")
_OF_BODY = (b"content-length", b"content-type", b"content-encoding")


def leave_uncompressed(scope: HTTPScope) -> None:
    """Have the answer to a request not compressed if it is a range of bytes, or a stream of server-sent events.

    A range is one of the plain file, and a compressor would hold events back until it has enough of them.
    """
    asked = lower_headers(scope["headers"])
    if b"accept-encoding" in asked and (b"range" in asked or b"text/event-stream" in asked.get(b"accept", b"")):
        scope["headers"] = other_headers(scope["headers"], (b"accept-encoding",))


def sending_changes(send: Send, scope: HTTPScope) -> Send:
    """An ASGI ``send`` that answers with 304 if the client has the present version, by the headers of the response.

    Args:
        send: ASGI's.
        scope: The scope of the request.
    """
    if scope["method"] not in ("GET", "HEAD") or not any(name in _CONDITIONS for name, _ in scope["headers"]):
        return send
    asked, is_dropped = lower_headers(scope["headers"]), False

    async def send_changes(message: Any) -> None:
        nonlocal is_dropped
        if message["type"] == "http.response.start" and message["status"] == 200:
            given = lower_headers(message["headers"])
            is_dropped = is_unchanged(asked, given.get(b"etag"), given.get(b"last-modified"))
            if is_dropped:
                message["headers"] = other_headers(message["headers"], _OF_BODY)
                message["status"] = 304
        elif is_dropped and message["type"] == "http.response.body":
            if message["more_body"]:
                return
            message["body"] = b""
        await send(message)

    return send_changes


def lower_headers(headers: Iterable[Any]) -> dict[bytes, bytes]:
    """The headers of a request or response, by their names in lower case; of several, the last one."""
    return {name.lower(): value for name, value in headers}


def other_headers(headers: Iterable[Any], names: Collection[bytes]) -> list[tuple[bytes, bytes]]:
    """The headers of a request or response without those of some names, which are in lower case."""
    return [(name, value) for name, value in headers if name.lower() not in names]


def is_unchanged(asked: Mapping[bytes, bytes], etag: bytes | None, modified: bytes | None) -> bool:
    """Whether the client has the present version: then a GET is answered with 304.

    Args:
        asked: The headers of the request.
        etag: The ``ETag`` of the response; None: it has none.
        modified: The ``Last-Modified`` of the response; None: it has none.
    """
    known = asked.get(b"if-none-match")
    if known is not None:
        return etag is not None and _has_version(known, etag)
    since = _date(asked.get(b"if-modified-since"))
    changed = _date(modified)
    return since is not None and changed is not None and changed <= since


def _has_version(listed: bytes, etag: bytes) -> bool:
    """Whether an ``ETag`` is in a list of them; weak and strong ones are the same version."""
    wanted = etag.removeprefix(b"W/")
    return any(one.strip().removeprefix(b"W/") in (b"*", wanted) for one in listed.split(b","))


def _date(value: bytes | None) -> datetime | None:
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
