"""Routes: their templates, such as ``/users/<user_id>``, and their options. Loads no Litestar."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import NoneType
from typing import TypedDict

from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import did_you_mean

from .signatures import MISSING, Signature
from .specs import Method

__all__ = [
    "BODILESS",
    "METHODS",
    "RESERVED",
    "WITHOUT_BODY",
    "RouteOptions",
    "is_file",
    "litestar_path",
    "malformed_path",
    "path_parameters",
    "path_shape",
    "split_door",
    "success_status",
    "without_metadata",
    "wrong_door",
    "wrong_method",
    "wrong_status",
]

METHODS: tuple[str, ...] = typing.get_args(Method)

BODILESS: tuple[str, ...] = ("DELETE", "GET", "HEAD", "OPTIONS", "TRACE")
"""The methods whose requests have no body at a door of an action."""

RESERVED = frozenset({"body", "cookies", "data", "headers", "query", "request", "scope", "socket", "state"})
"""The parameter names that have a special meaning in Litestar."""

WITHOUT_BODY = (204, 205, 304)
"""The statuses of answers without a body."""

_NO_BODY = (MISSING, NoneType, typing.Any, object)

# The path syntax of other frameworks.
_KINDS = {
    "date": "datetime.date",
    "datetime": "datetime.datetime",
    "decimal": "decimal.Decimal",
    "float": "float",
    "int": "int",
    "path": "pathlib.Path",
    "str": "str",
    "string": "str",
    "uuid": "uuid.UUID",
}


class RouteOptions(TypedDict, total=False):
    """Options of the route decorator that go to Litestar's route handler."""

    after_request: object
    """Called with each response, before it is sent; what it returns is sent instead."""

    after_response: object
    """Called with each request, after its response was sent."""

    background: object
    """A `BackgroundTask` of Litestar that runs after each response."""

    before_request: object
    """Called with each request; what it returns, other than None, is the response."""

    cache: object
    """Whether responses are cached, or the number of seconds for which they are. Default: False."""

    cache_control: object
    """A `CacheControlHeader` for each response."""

    cache_key_builder: object
    """Makes the key under which a response is cached, from the request."""

    dependencies: Mapping[str, object]
    """Dependencies of Litestar by name. Services of the container need none."""

    dto: object
    """A DTO of Litestar for the data of the request."""

    etag: object
    """An `ETag` for each response."""

    exception_handlers: object
    """Functions that make the response, by exception class or status code."""

    guards: Sequence[object]
    """Functions that raise an error to refuse a request."""

    media_type: str
    """The media type of the response. Default: JSON, or plain text for a `str`."""

    middleware: Sequence[object]
    """Middleware of Litestar around this route."""

    name: str
    """A name by which Litestar finds the route."""

    opt: Mapping[str, object]
    """Values of your own, for guards and middleware."""

    request_class: object
    """A subclass of Litestar's `Request`."""

    request_max_body_size: int | None
    """Bytes that the body of a request may have. Default: that of `HttpLimits`."""

    response_class: object
    """A subclass of Litestar's `Response`."""

    response_cookies: object
    """Cookies of each response."""

    response_headers: object
    """Headers of each response."""

    return_dto: object
    """A DTO of Litestar for the data of the response."""

    content_encoding: str
    """OpenAPI: the encoding of the content, such as ``base64``."""

    content_media_type: str
    """OpenAPI: the media type of the content, such as ``image/png``."""

    deprecated: bool
    """OpenAPI: whether the operation is deprecated. Default: False."""

    description: str
    """OpenAPI: the description. Default: the rest of the handler's docstring."""

    include_in_schema: bool
    """OpenAPI: whether the operation is in the document. Default: True."""

    operation_class: object
    """OpenAPI: a subclass of Litestar's `Operation`."""

    operation_id: object
    """OpenAPI: the ``operationId``. Default: the name of the handler."""

    raises: Sequence[type[Exception]]
    """OpenAPI: the errors that the handler raises; subclasses of `ServiceError` or of Litestar's `HTTPException`."""

    response_description: str
    """OpenAPI: the description of the response."""

    responses: Mapping[int, object]
    """OpenAPI: further responses, by status code."""

    signature_namespace: Mapping[str, object]
    """Names that annotations may mean, for Litestar."""

    security: Sequence[Mapping[str, Sequence[str]]]
    """OpenAPI: the security requirements of the operation."""

    summary: str
    """OpenAPI: the summary. Default: the first line of the handler's docstring."""

    tags: Sequence[str]
    """OpenAPI: the tags of the operation."""

    type_decoders: object
    """Decoders for types that msgspec does not know, for Litestar."""

    type_encoders: object
    """Encoders for types that msgspec does not know, by type."""


def path_parameters(path: str) -> tuple[str, ...]:
    """The names in ``<angle brackets>``, in order."""
    return tuple(segment[1:-1] for segment in path.split("/") if segment.startswith("<") and segment.endswith(">"))


def split_door(door: str) -> tuple[str, str]:
    """The method and the path of a door, such as ``GET /users/<id>``."""
    method, _, path = door.partition(" ")
    return method.upper(), path.strip()


def wrong_door(option: str, given: object) -> tuple[str, str] | None:
    """Why a value is no method and path, and the remedy; None if it is. Either may still have mistakes."""
    method, path = split_door(given) if isinstance(given, str) else ("", "")
    if method.isalpha() and path:
        return None
    path = given if isinstance(given, str) and given.startswith("/") else "/the/path"
    return f"{option}={given!r} is not a method and a path", f'write {option}="GET {path}"'


def wrong_method(method: str) -> tuple[str, str] | None:
    """Why a method cannot be routed, and the remedy; None if it can."""
    if method in METHODS:
        return None
    remedy = did_you_mean(method, METHODS, f"use one of {', '.join(METHODS)}")
    return f"{method!r} is not an HTTP method that can be routed", remedy


def wrong_status(status: object, returns: object) -> tuple[str, str] | None:
    """Why a response with a result of this type cannot have a status, and the remedy; None if it can."""
    if not isinstance(status, int) or not 200 <= status <= 599:
        return (
            f"status_code={status!r} is not the status of a complete response",
            "give a number from 200 to 599, such as 201",
        )
    if status in WITHOUT_BODY and returns not in _NO_BODY:
        found = f"an answer with status {status} has no body, and the handler returns {show_type(returns)}"
        return found, "return nothing: -> None, or give another status"
    return None


def success_status(returns: object, *, has_events: bool) -> int:
    """The status of a success of a route that gives none."""
    return 204 if returns is NoneType and not has_events else 200


def path_shape(path: str) -> str:
    """The path without parameter names and redundant slashes; it is equal for paths that conflict."""
    segments = ("<>" if segment.startswith("<") else segment for segment in path.split("/") if segment)
    return "/" + "/".join(segments)


def litestar_path(path: str, signature: Signature) -> str:
    """The path as Litestar writes it.

    A `pathlib.Path` takes the rest of the URL: ``{file:path}``. Everything else is a ``str`` to the router and is
    converted with the other parameters: a wrong value is then answered with 400 and what was expected, whereas the
    router's own conversions answer 404, or 500 for a decimal.
    """
    files = {parameter.name for parameter in signature.left if is_file(parameter.annotation)}
    segments = [
        f"{{{segment[1:-1]}:{'path' if segment[1:-1] in files else 'str'}}}" if segment.startswith("<") else segment
        for segment in path.split("/")
    ]
    return "/".join(segments)


def is_file(annotation: object) -> bool:
    """Whether a parameter is a `pathlib.Path`, which takes the rest of the URL."""
    bare = without_metadata(annotation)
    return isinstance(bare, type) and issubclass(bare, PurePath)


def malformed_path(path: str) -> tuple[str, str] | None:
    """The error in a malformed path and its remedy; None if the path is well-formed."""
    if not path.startswith("/"):
        return f"the path {path!r} does not begin with a slash", f"write {'/' + path!r}"
    if "//" in path:
        return f"the path {path!r} has an empty segment", f"write {re.sub('/+', '/', path)!r}"
    stray = re.search(r"[?#\s]", path)
    if stray is not None:
        return (
            f"the path {path!r} contains {stray[0]!r}",
            "declare a query parameter as a parameter of the handler, left of the *, not in the path",
        )
    for segment in path.split("/"):
        problem = _malformed_segment(segment)
        if problem is not None:
            return problem
    names = path_parameters(path)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"the path {path!r} has <{twice}> twice", "give each parameter a name of its own"
    return None


def _malformed_segment(segment: str) -> tuple[str, str] | None:
    if not re.search(r"[<>{}*]|^:\w", segment):
        return None
    name = segment[1:-1]
    if segment == f"<{name}>" and name.isidentifier():
        return None
    foreign = re.fullmatch(r":(\w+)|<(\w+):(\w+)>|\{(\w+)(?::(\w+))?\}|\*(\w*)", segment)
    if foreign is None:
        return f"{segment!r} is not a path parameter", "write <name> between two slashes, or plain text without <>{}*"
    found = f"{segment!r} is not how a path parameter is written"
    after_colon, first, second, braced, kind, rest = foreign.groups()
    if rest is not None:
        return found, f"write <{rest or 'rest'}>, and annotate it: {rest or 'rest'}: pathlib.Path"
    if first and first not in _KINDS and second in _KINDS:
        first, second = second, first
    name, kind = after_colon or second or braced, first or kind or "str"
    return found, f"write <{name}>, and annotate it: {name}: {_KINDS.get(kind, 'str')}"


def without_metadata(annotation: object) -> object:
    """The type without the metadata of `Annotated`."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation
