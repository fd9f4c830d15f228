"""Encoded answers: complete responses as ASGI apps.

Building a Litestar response takes as long as everything else that is done for a request.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from litestar.types import Receive, Scope, Send

from .problems import NO_SNIFFING, PROBLEM, encode_problem, id_header, request_id

__all__ = ["Encoded", "encoded_problem"]


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A complete answer, as an ASGI app.

    Attributes:
        body: All of it.
        status: The HTTP status.
        content_type: The media type of the body.
    """

    body: bytes
    status: int
    content_type: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        length = (b"content-length", b"%d" % len(self.body))
        headers = [(b"content-type", self.content_type), length, NO_SNIFFING, id_header(scope)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def encoded_problem(scope: Scope, status: int, code: str, detail: str, details: Mapping[str, object]) -> Encoded:
    """The response to a failed request: a `Problem`."""
    return Encoded(encode_problem(status, code, detail, details, request_id(scope)), status, PROBLEM.encode())
