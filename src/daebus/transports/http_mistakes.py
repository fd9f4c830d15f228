"""What is wrong with an HTTP request, in words, told from the exceptions of Litestar."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias, cast

import msgspec
from litestar import Request
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    SerializationException,
    ValidationException,
)
from litestar.types import HTTPScope
from litestar.utils.helpers import get_enum_string_value

__all__ = ["AnyRequest", "InvalidBody", "broken_request", "explain", "phrase", "without_websocket"]

AnyRequest: TypeAlias = Request[Any, Any, Any]

_MISSING = re.compile(r"Missing required (?P<place>\w+) parameter '(?P<name>.*?)' for")
_IS_MISSING = "It is missing"
_AT = re.compile(r"^(?P<text>.*?) - at `\$\.(?P<path>[^`]*)`$", re.DOTALL)


class _Invalid(msgspec.Struct):
    place: str = msgspec.field(name="in")
    path: str
    problem: str


class InvalidBody(ValidationException):
    """The body is JSON, but not what the handler takes.

    Args:
        scope: Of the request.
        path: Where in the body, such as ``$.email``.
        problem: What msgspec says of it.
    """

    def __init__(self, scope: HTTPScope, *, path: object, problem: object) -> None:
        self.invalid: _Invalid = _Invalid("body", str(path), str(problem))
        found = {"message": self.invalid.problem, "key": self.invalid.path, "source": "body"}
        super().__init__(detail=f"Validation failed for {scope['method']} {scope['path']}", extra=[found])


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
        return f"The body cannot be decoded: {error.detail}", {}
    if isinstance(error, ValidationException) and (errors := _invalid(request, error)):
        return "; ".join(_sentence(invalid) for invalid in errors), {"errors": errors}
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


def _sentence(invalid: _Invalid) -> str:
    if invalid.problem == _IS_MISSING:
        return "The body is missing" if invalid.place == "body" else f"The {_parameter(invalid)} is missing"
    problem = invalid.problem[:1].lower() + invalid.problem[1:]
    if invalid.place == "body":
        return f"Invalid value at `{invalid.path}` in the body: {problem}"
    return f"Invalid {_parameter(invalid)}: {problem}"


def _parameter(invalid: _Invalid) -> str:
    return f"{invalid.place} {'' if invalid.place in ('header', 'cookie') else 'parameter '}`{invalid.path}`"


def _invalid(request: AnyRequest, error: ValidationException) -> list[_Invalid]:
    if isinstance(error, InvalidBody):
        return [error.invalid]
    missing = _MISSING.match(error.detail)
    if missing:
        return [_Invalid(missing["place"], missing["name"], _IS_MISSING)]
    found = cast("Sequence[object]", error.extra if isinstance(error.extra, list) else ())
    cause = str(error.__cause__)
    entries = [cast("Mapping[str, str]", entry) for entry in found if isinstance(entry, dict) and "message" in entry]
    return [_invalid_value(request, cause, entry) for entry in entries]


def _invalid_value(request: AnyRequest, cause: str, entry: Mapping[str, str]) -> _Invalid:
    """Litestar's own entry for the value; it garbles some paths, which its cause has in full for the first value."""
    key, problem = entry.get("key", ""), entry["message"]
    place = get_enum_string_value(entry.get("source") or "request")
    if place != "body":
        field = request.route_handler.parsed_fn_signature.parameters.get(key)
        return _Invalid(place, getattr(field and field.kwarg_definition, "name", None) or key, problem)
    if cause == "Object missing required field `data`":
        return _Invalid("body", "$", _IS_MISSING)
    at = _AT.match(cause)
    if at and re.match(r"data\b", at["path"]):
        return _Invalid("body", "$" + at["path"].removeprefix("data"), at["text"])
    return _Invalid("body", "$" if key == "data" else f"$.{key}", problem)


def broken_request(error: Exception) -> str | None:
    """What is wrong with the request, where Litestar takes the client's mistake for one of its own."""
    if isinstance(error, InternalServerException) and error.detail == "client disconnected prematurely":
        return "The body ended too early"
    if isinstance(error, RecursionError | UnicodeDecodeError) and _raised_in_litestar(error):
        return "The request cannot be decoded: it is nested too deeply, or is not UTF-8"
    return None


def _raised_in_litestar(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith("litestar.")
