"""Answers of the server itself, for requests that never reach the application."""

from __future__ import annotations

__all__ = ["FULL", "STOPPING", "problem_headers"]

_PROBLEM = (
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"%s","code":"unavailable","details":{}}'
)
STOPPING = _PROBLEM % b"The service is stopping"
FULL = _PROBLEM % b"There is no room for more WebSocket clients"


def problem_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of such an answer."""
    return [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
