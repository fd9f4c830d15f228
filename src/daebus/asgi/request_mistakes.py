"""All that is wrong with an HTTP request: looked for once Litestar, or our own reading of it, has found the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, cast

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.enums import ParamType
from litestar.params import BodyKwarg, ParameterKwarg
from litestar.types import Empty
from litestar.typing import FieldDefinition
from litestar.utils.scope.state import ScopeState

from daebus.payloads.inputs import Input, JsonInput, ValuesInput
from daebus.payloads.mistake_search import find_mistakes, missing
from daebus.payloads.mistakes import Mistakes

__all__ = ["AnyRequest", "body_mistakes", "request_mistakes"]

AnyRequest: TypeAlias = Request[Any, Any, Any]

_ALL = {"headers": "header", "cookies": "cookie", "query": "query"}
_ABSENT = object()


class _Handler(Protocol):
    """What is used of Litestar's handlers, whose own types are partly unknown."""

    @property
    def signature_model(self) -> type: ...
    @property
    def default_deserializer(self) -> Callable[[Any, Any], Any]: ...
    def resolve_data_dto(self) -> object: ...


def body_mistakes(body: bytes, kind: object, error: Exception, hook: Callable[[Any, Any], Any]) -> Mistakes:
    """All that is wrong with a JSON body."""
    return find_mistakes(JsonInput(hook), body, kind, error, place="body")


def request_mistakes(request: AnyRequest) -> Mistakes:
    """All that is wrong with the parameters of a request, and with its body as far as it has been read."""
    found = Mistakes([])
    handler = cast("_Handler", request.route_handler)
    form = ValuesInput(_hook_of(handler))
    for name, field in request.route_handler.parsed_fn_signature.parameters.items():
        kind = handler.signature_model.__annotations__.get(name)
        if kind is None:
            continue
        if name == "data":
            if handler.resolve_data_dto() is None:
                _look_at_body(request, field, kind, found)
            continue
        if name in _ALL:
            place, path = _ALL[name], ""
            value: object = {**getattr(request, "query_params" if name == "query" else name)}
        elif isinstance(field.kwarg_definition, ParameterKwarg):
            place, path, value = _find(request, field.kwarg_definition, field)
        else:
            continue
        if value is _ABSENT:
            if field.is_required:
                found.add(place, path, missing(kind))
            continue
        _look(form, value, kind, place, path, found)
    return found


def _look(form: Input[Any], value: object, kind: object, place: str, path: str, found: Mistakes) -> None:
    error = form.check(value, kind)
    if error is not None:
        found.take(find_mistakes(form, value, kind, error, place=place, path=path))


def _find(request: AnyRequest, marker: ParameterKwarg, field: FieldDefinition) -> tuple[str, str, object]:
    """Where a parameter is from, its name there, and its value."""
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
    state = ScopeState.from_scope(request.scope)
    if state.form is not Empty:
        form: object = state.form
        if field.is_non_string_sequence:  # Litestar takes all values of a form for the list
            parts = [part if isinstance(part, list) else [part] for part in state.form.values()]
            form = [part for several in parts for part in cast("list[object]", several)]
            if not form:
                found.add("body", "$", "Expected a file")
        _look(ValuesInput(_hook_of(cast("_Handler", request.route_handler))), form, kind, "body", "$", found)
    elif isinstance(state.body, bytes) and not _is_form(field):
        if state.body:
            _look_at_json(request, state.body, kind, found)
        elif field.is_required and not field.is_optional:
            found.add("body", "$", missing(kind))


def _look_at_json(request: AnyRequest, body: bytes, kind: object, found: Mistakes) -> None:
    """Look at a body as strictly as it is read: by ourselves only JSON's own types are taken for what they are."""
    hook = _hook_of(cast("_Handler", request.route_handler))
    if getattr(request.route_handler, "arguments", None) is not None:
        _look(JsonInput(hook), body, kind, "body", "$", found)
        return
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        found.add("body", "$", f"It cannot be decoded: {error}")
    else:
        _look(ValuesInput(hook), value, kind, "body", "$", found)


def _is_form(field: FieldDefinition) -> bool:
    marker = field.kwarg_definition
    return isinstance(marker, BodyKwarg) and "form" in str(marker.media_type)


def _hook_of(handler: _Handler) -> Callable[[Any, Any], Any]:
    """What decodes as Litestar does, where msgspec does not know a type."""
    default = handler.default_deserializer

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
