"""The errors that a route names with ``raises=``, as OpenAPI documents them: problem+json, by status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from daebus.asgi.problems import PROBLEM, Problem, phrase
from daebus.declare.specs import RouteSpec
from daebus.errors import Gone, ServiceError, WiringProblem
from daebus.mistakes.show_type import show_type
from daebus.payloads.mistakes import Mistake
from daebus.payloads.schemas import Json

__all__ = [
    "BODY_ERRORS",
    "FORBIDDEN",
    "INVALID_INPUT",
    "SERVER_ERRORS",
    "UNAUTHORIZED",
    "InvalidInput",
    "documented_errors",
    "find_undocumented",
    "problem_response",
]


class InvalidDetails(msgspec.Struct):
    """What is wrong in a request.

    Attributes:
        errors: All mistakes, the first 20 at most.
        more: Whether there are more mistakes.
    """

    errors: list[Mistake] = []
    more: bool = False


class InvalidInput(Problem, kw_only=True):
    """The request is not what the handler takes.

    Attributes:
        details: All mistakes, if the parameters or the body do not have their types.
    """

    details: InvalidDetails  # type: ignore[assignment]  # only documented, never made


def _response(description: str) -> ResponseSpec:
    return ResponseSpec(Problem, generate_examples=False, description=description, media_type=PROBLEM)


UNAUTHORIZED = "The caller is not known (`unauthorized`)"
"""The documented error of each route that refuses strangers."""

FORBIDDEN = "The caller may not do this (`forbidden`)"
"""The documented error of each route with guards."""

INVALID_INPUT: Mapping[int, ResponseSpec] = {400: _response("Invalid input")}
"""The documented error of each route that takes anything from a request."""

BODY_ERRORS: Mapping[str, str] = {
    "413": "The body is too large (`too_large`)",
    "415": "The body has another media type (`unsupported_media_type`)",
}
"""The documented errors of each route that takes a body, by status."""

SERVER_ERRORS: Mapping[str, str] = {
    "5XX": "The service failed, a server that it needs is out of reach, or its time was over",
}
"""The documented errors of each route that are no fault of the client, by status."""


def problem_response(description: str) -> Json:
    """The response for an error in a finished document."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": description, "content": {PROBLEM: {"schema": schema}}}


def documented_errors(spec: RouteSpec) -> dict[int, ResponseSpec]:
    """The responses for the errors in a route's ``raises=``; errors with the same status share one response."""
    texts: dict[int, list[str]] = {}
    for kind in _raised(spec):
        if not isinstance(kind, type):
            continue
        if issubclass(kind, ServiceError):
            summary = (kind.__doc__ or phrase(kind.status)).strip().partition("\n")[0]
            texts.setdefault(kind.status, []).append(f"{summary} (`{kind.code}`)")
        elif issubclass(kind, HTTPException):
            texts.setdefault(kind.status_code, []).append(getattr(kind, "detail", "") or phrase(kind.status_code))
    return {status: _response("; ".join(dict.fromkeys(lines))) for status, lines in texts.items()}


def find_undocumented(spec: RouteSpec) -> list[WiringProblem]:
    """The entries of a route's ``raises=`` that are not errors that a client can get."""
    problems: list[WiringProblem] = []
    for kind in _raised(spec):
        if isinstance(kind, type) and issubclass(kind, ServiceError | HTTPException):
            continue
        shown = show_type(kind) if isinstance(kind, type) else repr(kind)
        found = f"raises= has {shown}, which is never sent to a client: the response would be a 500"
        remedy = "list classes of daebus.errors, your own subclasses of them, or HTTPExceptions of Litestar"
        problems.append(spec.problem(found, remedy, code="wrong-option"))
    return problems


def _raised(spec: RouteSpec) -> Sequence[object]:
    """What a route says that it raises, and what a client that comes back too late gets."""
    given = cast("Sequence[object]", spec.options.get("raises") or ())
    return given if spec.resume is None or Gone in given else (*given, Gone)
