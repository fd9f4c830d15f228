"""Answers of the server itself, for requests that never reach the application, and its error for slow bodies."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from daebus.errors import ServiceError

__all__ = ["FULL", "STOPPING", "SlowBody", "problem_headers", "raw_response"]

_PROBLEM = (
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"%s","code":"unavailable","details":{}}'
)
STOPPING = _PROBLEM % b"The service is stopping"
FULL = _PROBLEM % b"There is no room for more WebSocket clients"


class SlowBody(ServiceError):
    """The body of the request came too slowly."""

    code = "request_timeout"
    status = 408


def raw_response(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A whole response of HTTP/1.1, after which the connection is closed.

    Args:
        status: Its status.
        headers: Its headers, without those of its length and of the connection.
        body: Its body.
    """
    own = {b"content-length": b"%d" % len(body), b"connection": b"close", b"date": formatdate(usegmt=True).encode()}
    given = [(name, value) for name, value in headers if name.lower() not in own]
    lines = [b"%b: %b" % pair for pair in (*given, *own.items())]
    return b"\r\n".join([f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *lines, b"", body])


def problem_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of such an answer."""
    return [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
