"""The mistakes in the parameters and the body of an HTTP request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
from litestar.datastructures import UploadFile
from litestar.enums import ParamType
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, ParameterKwarg
from litestar.types import HTTPScope
from litestar.typing import FieldDefinition

from daebus.asgi.problems import AnyRequest
from daebus.payloads.inputs import Input, JsonInput, ValuesInput
from daebus.payloads.mistake_search import find_mistakes, missing
from daebus.payloads.mistakes import Mistakes

from .litestar_internals import parameters_of, received_body, received_form

__all__ = ["InvalidRequest", "look", "request_mistakes"]

_ABSENT = object()
_ALL = {"headers": "header", "cookies": "cookie", "query": "query"}


class InvalidRequest(ValidationException):
    """The request is not what the handler takes.

    Args:
        scope: The scope of the request.
        mistakes: All mistakes in it.
    """

    def __init__(self, scope: HTTPScope, mistakes: Mistakes) -> None:
        self.mistakes: Mistakes = mistakes
        found = [{"message": one.problem, "key": one.path, "source": one.place} for one in mistakes.found]
        super().__init__(detail=f"Validation failed for {scope['method']} {scope['path']}", extra=found)


def request_mistakes(request: AnyRequest) -> Mistakes:
    """All mistakes in the parameters of a request, and in its body as far as it was read."""
    found, handler = Mistakes([]), request.route_handler
    form = ValuesInput(decoding_hook(handler))
    for name, field, kind in parameters_of(handler):
        if name == "data":
            if cast("Any", handler).resolve_data_dto() is None:
                _look_at_body(request, field, kind, found)
            continue
        if name in _ALL:
            place, path = _ALL[name], ""
            value: object = {**getattr(request, "query_params" if name == "query" else name)}
        elif isinstance(field.kwarg_definition, ParameterKwarg):
            place, path, value = _find(request, field.kwarg_definition, field)
        else:
            continue
        if value is not _ABSENT:
            look(form, value, kind, place, path, found)
        elif field.is_required:
            found.add(place, path, missing(kind))
    return found


def look(form: Input[Any], value: object, kind: object, place: str, path: str, found: Mistakes) -> None:
    """Add the mistakes in one value of a request to the found mistakes.

    Args:
        form: The form that decodes the value.
        value: The value.
        kind: The type that is expected.
        place: Its source: ``path``, ``query``, ``header``, ``cookie`` or ``body``.
        path: Its name in the source; ``$`` for a body.
        found: The mistakes found so far.
    """
    error = form.check(value, kind)
    if error is not None:
        found.take(find_mistakes(form, value, kind, error, place=place, path=path))


def _find(request: AnyRequest, marker: ParameterKwarg, field: FieldDefinition) -> tuple[str, str, object]:
    """The source of a parameter, its name there, and its value."""
    name = marker.name or field.name
    match marker.param_type:
        case ParamType.HEADER:
            return "header", name, request.headers.get(name, _ABSENT)
        case ParamType.COOKIE:
            return "cookie", name, request.cookies.get(name, _ABSENT)
        case ParamType.PATH:
            return "path", name, request.path_params.get(field.name, _ABSENT)
        case _:
            values = request.query_params.getall(name, [])
            is_many = field.is_non_string_sequence or any(one.is_non_string_sequence for one in field.inner_types)
            return "query", name, (values if is_many else values[-1]) if values else _ABSENT


def _look_at_body(request: AnyRequest, field: FieldDefinition, kind: object, found: Mistakes) -> None:
    form, body = received_form(request.scope), received_body(request.scope)
    if form is not None:
        given: object = form
        if field.is_non_string_sequence:  # Litestar takes all values of a form for the list
            parts = [cast("list[object]", part) if isinstance(part, list) else [part] for part in form.values()]
            given = [part for several in parts for part in several]
            if not given:
                found.add("body", "$", "Expected a file")
        look(ValuesInput(decoding_hook(request.route_handler)), given, kind, "body", "$", found)
    elif body is not None and not _is_form(field):
        if body:
            _look_at_json(request, body, kind, found)
        elif field.is_required and not field.is_optional:
            found.add("body", "$", missing(kind))


def _look_at_json(request: AnyRequest, body: bytes, kind: object, found: Mistakes) -> None:
    """Find mistakes in a body as strictly as it is decoded: without conversion, only JSON's own types match."""
    hook = decoding_hook(request.route_handler)
    if getattr(request.route_handler, "arguments", None) is not None:
        look(JsonInput(hook), body, kind, "body", "$", found)
        return
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        found.add("body", "$", f"It cannot be decoded: {error}")
    else:
        look(ValuesInput(hook), value, kind, "body", "$", found)


def _is_form(field: FieldDefinition) -> bool:
    marker = field.kwarg_definition
    return isinstance(marker, BodyKwarg) and "form" in str(marker.media_type)


def decoding_hook(handler: HTTPRouteHandler) -> Callable[[Any, Any], Any]:
    """The decoding hook, which decodes types that msgspec does not know, as Litestar does."""
    default: Callable[[Any, Any], Any] = cast("Any", handler).default_deserializer

    def decode(kind: Any, value: Any) -> Any:
        plain = kind if isinstance(kind, type) else getattr(kind, "__origin__", object)
        if isinstance(value, plain):
            return value
        if issubclass(plain, UploadFile):
            parts = cast("list[object]", value) if isinstance(value, list) else []
            is_several = len(parts) > 1 and all(isinstance(part, UploadFile) for part in parts)
            raise TypeError(f"Expected one file, got {len(parts)}" if is_several else "Expected a file")
        own = getattr(kind, "_decoder", None)
        return default(kind, value) if own is None else own(kind, value)

    return decode
