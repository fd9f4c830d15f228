"""The probes of platforms and load balancers: ``/health/live`` and ``/health/ready``, as an ASGI app."""

from __future__ import annotations

from typing import Any

from daebus.payloads.codec import encode
from daebus.server.sockets import refuse_socket

from .readiness import Health

__all__ = ["LIVE", "PROBES", "READY", "Probes"]

LIVE, READY = "/health/live", "/health/ready"

PROBES = frozenset({LIVE, READY})

_METHODS = "GET", "HEAD"


class Probes:
    """Answers GET and HEAD: 200 if the process is alive or ready, otherwise 503.

    It is alive if it answers, as a process whose event loop hangs does not.

    Args:
        health: The health of this process.
        details: Whether the answer has the results of the checks, with reasons, which only operators should see.
    """

    def __init__(self, health: Health, *, details: bool) -> None:
        self._health = health
        self._details = details

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await refuse_socket(receive, send)
            return
        status, answer = await self._answer(scope["path"], scope["method"])
        body = encode(answer)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == 405:
            headers.append((b"allow", ", ".join(_METHODS).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, path: str, method: str) -> tuple[int, dict[str, object]]:
        if path not in PROBES:
            return 404, {"detail": f"The probes are {LIVE} and {READY}"}
        if method not in _METHODS:
            return 405, {"detail": "Probes are requested by GET or HEAD"}
        if path == LIVE:
            return 200, {"status": "live"}
        report = await self._health.report()
        answer: dict[str, object] = {"status": report.status}
        if self._details:
            answer["checks"] = report.checks
        return (200 if report.status == "ready" else 503), answer
