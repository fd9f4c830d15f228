"""Every HTTP error as ``application/problem+json`` (RFC 9457), with the request id that is also in the log."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec
from litestar import Request
from litestar.types import Message, Scope, Send

__all__ = [
    "NO_SNIFFING",
    "PROBLEM",
    "REFUSAL",
    "AnyRequest",
    "Problem",
    "encode_problem",
    "id_header",
    "phrase",
    "request_id",
    "telling_id",
]

AnyRequest: TypeAlias = Request[Any, Any, Any]
"""A Litestar request with any user, auth and state."""

PROBLEM = "application/problem+json"

REFUSAL = "daebus.refusal"
"""The key in a WebSocket's scope for the `ServiceError` with which Litestar refuses it."""

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""The header that keeps browsers from guessing another content type, such as an upload shown as a page."""

_PAGE = b"text/html"
_OF_PAGES = (
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""The headers of pages: other sites neither show them in a frame, nor see their addresses, nor hold their windows."""

_REQUEST_ID = "daebus_request_id"
_ID_HEADER = b"x-request-id"
_ACCEPTED_ID = re.compile(rb"[\x21-\x7e]{1,128}")

# A counter is faster than random bytes for each request.
_PROCESS = os.urandom(11).hex()
_numbers = itertools.count(1)


class Problem(msgspec.Struct, kw_only=True):
    """An error as it is sent.

    Attributes:
        title: The phrase of the status.
        status: The HTTP status.
        detail: A sentence for people.
        code: A stable word for programs, such as ``not_found``.
        details: More facts for programs.
        request_id: The id under which the service's log has the request.
        type: Always ``about:blank``, with which RFC 9457 says that the status is the whole meaning.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    details: Mapping[str, object]
    request_id: str


def phrase(status: int) -> str:
    """The name of a status, such as ``Not Found``."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def encode_problem(status: int, code: str, detail: str, details: Mapping[str, object], known: str) -> bytes:
    """The encoded `Problem` of a request with this id; details that are not encodable as JSON are left out."""
    problem = Problem(title=phrase(status), status=status, detail=detail, code=code, details=details, request_id=known)
    try:
        return msgspec.json.encode(problem, enc_hook=str)
    except (TypeError, ValueError):
        return msgspec.json.encode(msgspec.structs.replace(problem, details={}))


def request_id(scope: Scope) -> str:
    """The id of a request: its header ``X-Request-ID``, or a new id; the same at each call."""
    state = scope["state"]
    known: str | None = state.get(_REQUEST_ID)
    if known is None:
        given = b""
        for name, value in scope["headers"]:
            if name == _ID_HEADER:
                given = value
        accepted = given and _ACCEPTED_ID.fullmatch(given)
        known = given.decode("ascii") if accepted else f"{_PROCESS}{next(_numbers):010x}"
        state[_REQUEST_ID] = known
    return known


def id_header(scope: Scope) -> tuple[bytes, bytes]:
    """The header that tells the client the id of its request."""
    known: str = scope["state"].get(_REQUEST_ID) or request_id(scope)
    return _ID_HEADER, known.encode("ascii")


def telling_id(send: Send, scope: Scope) -> Send:
    """An ASGI ``send`` that adds the request id and the headers for security to a response that lacks them."""

    def send_with_id(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            named = dict(headers)
            safe = (NO_SNIFFING, *_OF_PAGES) if named.get(b"content-type", b"").startswith(_PAGE) else (NO_SNIFFING,)
            headers += [header for header in safe if header[0] not in named]
            if _ID_HEADER not in named:
                headers.append(id_header(scope))
            message["headers"] = headers
        return send(message)

    return send_with_id
