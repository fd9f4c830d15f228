"""Every error of HTTP as ``application/problem+json`` (RFC 9457), and the id under which the log has it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias, cast

import msgspec
from litestar import Litestar, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, WebSocketException
from litestar.response.base import ASGIResponse
from litestar.types import Message, Receive, Scope, Send
from typing_extensions import override

from daebus.delivery.delivery import Delivery
from daebus.delivery.failures import is_for_senders, outage
from daebus.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Internal,
    NotFound,
    ServiceError,
    Timeout,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from daebus.telemetry.logs import Logger

from .mistakes import AnyRequest, InvalidBody, broken_request, explain, lacks_file, phrase, without_websocket
from .request_mistakes import request_mistakes

__all__ = [
    "DELIVERY",
    "NO_SNIFFING",
    "PROBLEM",
    "REFUSAL",
    "AnyRequest",
    "Handlers",
    "Problem",
    "Problems",
    "encode_problem",
    "id_header",
    "request_id",
    "telling_id",
    "unhidden",
]

DELIVERY = "daebus_delivery"
"""The key in a Litestar handler's ``opt`` under which its `Delivery` is found."""

PROBLEM = "application/problem+json"

REFUSAL = "daebus.refusal"
"""The key in the scope of a WebSocket under which the `ServiceError` is found for which Litestar refuses it."""

Handlers: TypeAlias = Mapping[int | type[Exception], Callable[[AnyRequest, Any], Response[Any]]]
"""Exception handlers as Litestar takes them, by status or class."""

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""The header that keeps browsers from taking a response for another type than it says: uploads for pages."""

_REQUEST_ID = "daebus_request_id"
_ID_HEADER = b"x-request-id"
_ACCEPTED_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_KNOWN = (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, TooManyRequests, Unavailable, Timeout)
_BY_STATUS = {kind.status: kind for kind in _KNOWN}
# Beside those of daebus, those whose phrase is not the same in every version of Python.
_CODES = {
    **{error.status: error.code for error in _KNOWN},
    414: "uri_too_long",
    416: "range_not_satisfiable",
    422: "unprocessable",
}
_DRAIN_SECONDS = 5

# Random bytes for each request would take longer than a number.
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
        type: Required by RFC 9457: the status says all that there is to say.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    details: Mapping[str, object]
    request_id: str


def encode_problem(status: int, code: str, detail: str, details: Mapping[str, object], known: str) -> bytes:
    """A `Problem` of a request, by its id; details without a JSON form are left out, not to cost the answer."""
    problem = Problem(title=phrase(status), status=status, detail=detail, code=code, details=details, request_id=known)
    try:
        return msgspec.json.encode(problem, enc_hook=str)
    except (TypeError, ValueError):
        return msgspec.json.encode(msgspec.structs.replace(problem, details={}))


def request_id(scope: Scope) -> str:
    """The id of a request: what its header ``X-Request-ID`` says, or a new one; the same at each call."""
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
    return _ID_HEADER, request_id(scope).encode("ascii")


def telling_id(send: Send, scope: Scope) -> Send:
    """An ASGI ``send`` that adds ``X-Request-ID`` and ``X-Content-Type-Options`` to a response that lacks them."""

    def send_with_id(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            named = {name for name, _ in headers}
            if NO_SNIFFING[0] not in named:
                headers.append(NO_SNIFFING)
            if _ID_HEADER not in named:
                headers.append(id_header(scope))
            message["headers"] = headers
        return send(message)

    return send_with_id


class Problems:
    """Turns exceptions into responses; those that are not meant for the client are logged, and not shown.

    Args:
        logger: Where unexpected exceptions are logged.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def handlers(self, given: Handlers | None) -> Handlers:
        """The handlers for a Litestar app: those that the user gave, and this one for the rest."""
        return {ServiceError: self.answer, HTTPException: self.answer, Exception: self.answer, **unhidden(given)}

    def answer(self, request: AnyRequest, error: Exception) -> Response[bytes]:
        """The response to a request that failed."""
        if lacks_file(error):
            error = InvalidBody(request.scope, request_mistakes(request))
        if isinstance(error, HTTPException) and error.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
            error = without_websocket(request, error)
            detail, details = explain(request, error)
            code = _CODES.get(error.status_code) or re.sub(r"\W+", "_", phrase(error.status_code).lower())
            return _response(request, error.status_code, code, detail, details, error.headers)
        problem = error if is_for_senders(error) else self._unexpected(request, error)
        return _response(request, problem.status, problem.code, problem.message, problem.details, None)

    async def note(self, error: Exception, scope: Scope) -> None:
        """Note under `REFUSAL` what a WebSocket client is to be told: an ``after_exception`` hook of Litestar's."""
        if scope["type"] == ScopeType.WEBSOCKET and not isinstance(error, WebSocketException):
            cast("dict[str, object]", scope)[REFUSAL] = self._refusal(error, scope)

    def _refusal(self, error: Exception, scope: Scope) -> ServiceError:
        if is_for_senders(error):
            return error
        if not isinstance(error, HTTPException) or error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._outside(error, path=scope["path"], request_id=request_id(scope))
        if "route_handler" not in scope and error.detail == phrase(error.status_code):
            return NotFound(f"There is no WebSocket at {scope['path']}")
        return _BY_STATUS.get(error.status_code, Forbidden)(error.detail)

    def _unexpected(self, request: AnyRequest, error: Exception) -> ServiceError:
        broken = broken_request(error)
        if broken is not None:
            return BadRequest(broken)
        problem = self._logged(request, error)
        if isinstance(error, TimeoutError):
            return Timeout(f"{request.method} {request.scope['path']} took too long")
        return problem

    def _logged(self, request: AnyRequest, error: Exception) -> ServiceError:
        known = request_id(request.scope)
        routed = "route_handler" in request.scope
        delivery = cast("Delivery[object] | None", request.route_handler.opt.get(DELIVERY) if routed else None)
        if delivery is not None:
            return delivery.problem(error, delivery.incoming(known))
        return self._outside(error, method=request.method, path=request.scope["path"], request_id=known)

    def _outside(self, error: Exception, **about: str) -> ServiceError:
        """The error for what failed outside of our handlers."""
        problem = outage(error, self, self._logger, **about)
        if problem is not None:
            return problem
        self._logger.error("request failed", **about, exc_info=error)
        return Internal(f"The request failed; the service's log has the cause under request id {about['request_id']}")


def unhidden(handlers: Handlers | None) -> Handlers:
    """Exception handlers of the user's, where one for 500 also stands for unknown exceptions.

    Litestar looks for the class first, and would find the one of `Problems` for `Exception`.
    """
    given = dict(handlers or {})
    if HTTPStatus.INTERNAL_SERVER_ERROR in given:
        given.setdefault(Exception, given[HTTPStatus.INTERNAL_SERVER_ERROR])
    return given


def _response(
    request: AnyRequest,
    status: int,
    code: str,
    detail: str,
    details: Mapping[str, object],
    headers: Mapping[str, str] | None,
) -> Response[bytes]:
    body = encode_problem(status, code, detail, details, request_id(request.scope))
    # A client that is still sending when the connection closes never sees the answer.
    kind = _AfterBody if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else Response[bytes]
    return kind(body, status_code=status, media_type=PROBLEM, headers=dict(headers or {}))


class _AfterBody(Response[bytes]):
    """A response that waits for the rest of the request's body, and throws it away; not for long, though."""

    @override
    def to_asgi_response(self, app: Litestar | None, request: AnyRequest, **options: Any) -> ASGIResponse:
        # Litestar's own type leaves out what the request is generic in.
        answer = super().to_asgi_response(app, request, **options)  # pyright: ignore[reportUnknownMemberType]

        async def drain_and_answer(scope: Scope, receive: Receive, send: Send) -> None:
            if request.headers.get("expect", "").lower() != "100-continue":
                await _drain(receive)
            await answer(scope, receive, send)

        return cast("ASGIResponse", drain_and_answer)  # all that Litestar does with it is to call it


async def _drain(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
