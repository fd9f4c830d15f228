"""The problem documents of failed requests: the answer of Litestar's app to every exception."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias, cast

from litestar import Response
from litestar.enums import ScopeType
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    SerializationException,
    ValidationException,
    WebSocketException,
)
from litestar.types import Scope

from daebus.asgi.problems import PROBLEM, REFUSAL, AnyRequest, encode_problem, phrase, request_id
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
from daebus.identity.credentials import actor_of, note_actor
from daebus.payloads.mistakes import Mistake, Mistakes
from daebus.telemetry.logs import Logger

from .litestar_internals import broken_request, get_enum_string_value, lacks_file
from .mistakes import InvalidRequest, request_mistakes

__all__ = ["Handlers", "Problems", "answers_mistakes", "unhidden"]

Handlers: TypeAlias = Mapping[int | type[Exception], Callable[[AnyRequest, Any], Response[Any]]]
"""Exception handlers as Litestar takes them, by status or class."""

_KNOWN = (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, TooManyRequests, Unavailable, Timeout)
_BY_STATUS = {kind.status: kind for kind in _KNOWN}
# Besides those of daebus, the ones whose phrase differs between versions of Python.
_CODES = {
    **{error.status: error.code for error in _KNOWN},
    414: "uri_too_long",
    416: "range_not_satisfiable",
    422: "unprocessable",
}

# The wording of Litestar.
_MISSING = re.compile(r"Missing required (?P<place>\w+) parameter '(?P<name>.*?)' for")
_INVALID = "Validation failed for "


class Problems:
    """Turns exceptions into responses; exceptions that are not meant for the client are logged and not shown.

    Args:
        logger: Where unexpected exceptions are logged.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def handlers(self, given: Handlers | None) -> Handlers:
        """The exception handlers for a Litestar app: the user's handlers, and this one for all other exceptions."""
        return {ServiceError: self.answer, HTTPException: self.answer, Exception: self.answer, **unhidden(given)}

    def answer(self, request: AnyRequest, error: Exception) -> Response[bytes]:
        """The response to a failed request."""
        if lacks_file(error):
            error = InvalidRequest(request.scope, request_mistakes(request))
        if isinstance(error, HTTPException) and error.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
            error = _without_websocket(request, error)
            detail, details = _explain(request, error)
            code = _CODES.get(error.status_code) or re.sub(r"\W+", "_", phrase(error.status_code).lower())
            return _response(request, error.status_code, code, detail, details, error.headers)
        problem = error if is_for_senders(error) else self._unexpected(request, error)
        challenge = _challenge(request) if problem.status == HTTPStatus.UNAUTHORIZED else None
        headers = None if challenge is None else {"www-authenticate": challenge}
        return _response(request, problem.status, problem.code, problem.message, problem.details, headers)

    async def note(self, error: Exception, scope: Scope) -> None:
        """Store the error for a WebSocket client under `REFUSAL`: an ``after_exception`` hook of Litestar."""
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
        handler = request.route_handler if routed else None
        delivery = cast("Delivery[object] | None", getattr(handler, "delivery", None))  # of a `RouteHandler`
        if delivery is not None:
            incoming, actor = delivery.incoming(known), actor_of(cast("Mapping[str, object]", request.scope))
            if actor is not None:
                note_actor(incoming.context, actor)
            return delivery.problem(error, incoming)
        return self._outside(error, method=request.method, path=request.scope["path"], request_id=known)

    def _outside(self, error: Exception, **about: str) -> ServiceError:
        """The error for a failure outside of our handlers."""
        problem = outage(error, self, self._logger, **about)
        if problem is not None:
            return problem
        self._logger.error("request failed", **about, exc_info=error)
        return Internal(f"The request failed; the service's log has the cause under request id {about['request_id']}")


def answers_mistakes(handlers: Mapping[Any, Any]) -> bool:
    """Whether our exception handler is the one that answers requests with wrong arguments."""
    kinds = (HTTPStatus.BAD_REQUEST, *InvalidRequest.__mro__)  # in Litestar's order
    chosen = next((handlers[kind] for kind in kinds if kind in handlers), None)
    return getattr(chosen, "__func__", None) is Problems.answer


def unhidden(handlers: Handlers | None) -> Handlers:
    """The user's exception handlers, with the one for 500 also used for unknown exceptions.

    Litestar looks up the class first, and would find the handler of `Problems` for `Exception`.
    """
    given = dict(handlers or {})
    if HTTPStatus.INTERNAL_SERVER_ERROR in given:
        given.setdefault(Exception, given[HTTPStatus.INTERNAL_SERVER_ERROR])
    return given


def _challenge(request: AnyRequest) -> str | None:
    """The header ``WWW-Authenticate`` of a refused request, as its `RouteHandler` knows it; None: there is none."""
    handler = request.route_handler if "route_handler" in request.scope else None
    return cast("str | None", getattr(handler, "challenge", "Bearer"))


def _response(
    request: AnyRequest,
    status: int,
    code: str,
    detail: str,
    details: Mapping[str, object],
    headers: Mapping[str, str] | None,
) -> Response[bytes]:
    body = encode_problem(status, code, detail, details, request_id(request.scope))
    return Response(body, status_code=status, media_type=PROBLEM, headers=dict(headers or {}))


def _without_websocket(request: AnyRequest, error: HTTPException) -> HTTPException:
    """The error for HTTP, if Litestar lists a WebSocket among the allowed methods of a path."""
    allowed = (error.headers or {}).get("allow", "").split(", ")
    if "websocket" not in allowed:
        return error
    methods = ", ".join(method for method in allowed if method != "websocket")
    if methods:
        return MethodNotAllowedException(headers={"allow": methods})
    detail = f"{request.scope['path']} takes WebSocket connections only"
    return HTTPException(detail=detail, status_code=HTTPStatus.UPGRADE_REQUIRED, headers={"upgrade": "websocket"})


def _explain(request: AnyRequest, error: HTTPException) -> tuple[str, Mapping[str, object]]:
    """The sentence and the details for an exception of Litestar, raised by Litestar or by a handler."""
    path = request.scope["path"]
    if isinstance(error.__cause__, SerializationException):
        found = Mistakes([Mistake("body", "$", f"It cannot be decoded: {error.detail}")])
        found.take(Mistakes([one for one in request_mistakes(request).found if one.place != "body"]))
        return f"The body cannot be decoded: {error.detail}", found.details
    if isinstance(error, ValidationException):
        found = _mistakes(request, error)
        if found.found:
            return found.sentence, found.details
    if error.detail in (phrase(error.status_code), type(error).__dict__.get("detail")):
        match error.status_code:
            case HTTPStatus.NOT_FOUND:
                return f"There is no {request.method} {path}", {}
            case HTTPStatus.METHOD_NOT_ALLOWED:
                return f"{request.method} is not allowed on {path}, only {(error.headers or {}).get('allow')}", {}
            case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                limit = request.route_handler.resolve_request_max_body_size()
                return f"The body is larger than the limit of {limit} bytes", {}
            case _:
                pass
    extra: object = error.extra
    if isinstance(extra, Mapping):
        return error.detail, cast("Mapping[str, object]", extra)
    return error.detail, {} if extra is None else {"extra": extra}


def _mistakes(request: AnyRequest, error: ValidationException) -> Mistakes:
    """All mistakes in a request, if the error is about the handler's arguments."""
    if isinstance(error, InvalidRequest):
        return error.mistakes
    found, missing = Mistakes([]), _MISSING.match(error.detail)
    entries = cast("Sequence[object]", error.extra if isinstance(error.extra, list) else ())
    if missing is None and not any(isinstance(entry, dict) and "message" in entry for entry in entries):
        return found
    if error.detail.startswith(_INVALID) or missing is not None:
        found = request_mistakes(request)
    if not found.found and missing is not None:  # a parameter of a Litestar dependency
        found.add(missing["place"], missing["name"], "Missing")
    elif not found.found:
        for entry in (cast("Mapping[str, str]", entry) for entry in entries if isinstance(entry, dict)):
            place = get_enum_string_value(entry.get("source") or "request")
            key = entry.get("key", "")
            found.add(place, f"$.{key}" if place == "body" else key, str(entry.get("message")))
    return found
