"""What is wrong with an HTTP request, in words, told from the exceptions of Litestar."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import cast

from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    SerializationException,
    ValidationException,
)
from litestar.types import HTTPScope
from litestar.utils.helpers import get_enum_string_value

from daebus.payloads.mistakes import Mistake, Mistakes

from .request_mistakes import AnyRequest, request_mistakes

__all__ = ["AnyRequest", "InvalidBody", "broken_request", "explain", "lacks_file", "phrase", "without_websocket"]

_MISSING = re.compile(r"Missing required (?P<place>\w+) parameter '(?P<name>.*?)' for")
_INVALID = "Validation failed for "


class InvalidBody(ValidationException):
    """The body is JSON, but not what the handler takes.

    Args:
        scope: Of the request.
        mistakes: All that is wrong with the body.
    """

    def __init__(self, scope: HTTPScope, mistakes: Mistakes) -> None:
        self.mistakes: Mistakes = mistakes
        found = [{"message": one.problem, "key": one.path, "source": one.place} for one in mistakes.found]
        super().__init__(detail=f"Validation failed for {scope['method']} {scope['path']}", extra=found)


def phrase(status: int) -> str:
    """The name of a status, such as ``Not Found``."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def without_websocket(request: AnyRequest, error: HTTPException) -> HTTPException:
    """The error for HTTP, where Litestar counts a WebSocket among the methods that a path allows."""
    allowed = (error.headers or {}).get("allow", "").split(", ")
    if "websocket" not in allowed:
        return error
    methods = ", ".join(method for method in allowed if method != "websocket")
    if methods:
        return MethodNotAllowedException(headers={"allow": methods})
    detail = f"{request.scope['path']} takes WebSocket connections only"
    return HTTPException(detail=detail, status_code=HTTPStatus.UPGRADE_REQUIRED, headers={"upgrade": "websocket"})


def explain(request: AnyRequest, error: HTTPException) -> tuple[str, Mapping[str, object]]:
    """The sentence and the details for an exception of Litestar's, or of a handler that raises Litestar's."""
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
                return f"The body is larger than {limit} bytes, which is the most that is read", {}
            case _:
                pass
    extra: object = error.extra
    if isinstance(extra, Mapping):
        return error.detail, cast("Mapping[str, object]", extra)
    return error.detail, {} if extra is None else {"extra": extra}


def _mistakes(request: AnyRequest, error: ValidationException) -> Mistakes:
    """All that is wrong with a request, where the error is about what the handler takes of it."""
    if isinstance(error, InvalidBody):
        return error.mistakes
    found, missing = Mistakes([]), _MISSING.match(error.detail)
    entries = cast("Sequence[object]", error.extra if isinstance(error.extra, list) else ())
    if missing is None and not any(isinstance(entry, dict) and "message" in entry for entry in entries):
        return found
    if error.detail.startswith(_INVALID) or missing is not None:
        found = request_mistakes(request)
    if not found.found and missing is not None:  # of a dependency of Litestar's
        found.add(missing["place"], missing["name"], "Missing")
    elif not found.found:
        for entry in (cast("Mapping[str, str]", entry) for entry in entries if isinstance(entry, dict)):
            place = get_enum_string_value(entry.get("source") or "request")
            key = entry.get("key", "")
            found.add(place, f"$.{key}" if place == "body" else key, str(entry.get("message")))
    return found


def lacks_file(error: Exception) -> bool:
    """Whether a form has no file where the handler takes nothing else, which Litestar falls over."""
    is_end = isinstance(error, IndexError) or (
        isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration)
    )
    return is_end and _raised_in(error, "litestar._kwargs.")


def broken_request(error: Exception) -> str | None:
    """What is wrong with the request, where Litestar takes the client's mistake for one of its own."""
    if isinstance(error, InternalServerException) and error.detail == "client disconnected prematurely":
        return "The body ended too early"
    if isinstance(error, RecursionError | UnicodeDecodeError) and _raised_in(error, "litestar."):
        return "The request cannot be decoded: it is nested too deeply, or is not UTF-8"
    return None


def _raised_in(error: Exception, package: str) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(package)
