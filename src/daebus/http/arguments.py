"""The arguments of most requests, read without Litestar's model of them, which takes longer than all the rest."""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable, Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, cast

import msgspec
from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg
from litestar.types import Empty, HTTPScope, Receive
from typing_extensions import override

from daebus.asgi.mistakes import InvalidBody
from daebus.asgi.request_mistakes import body_mistakes
from daebus.declare.decorated import is_context
from daebus.declare.paths import RESERVED, is_file
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.errors import BadRequest
from daebus.payloads.codec import Decoder, UnsupportedTypeError, compile_query_decoder, require_json_type
from daebus.payloads.inputs import Hook
from daebus.server.exchange import Headers, body_length

__all__ = [
    "Arguments",
    "PlainRequest",
    "form_type",
    "no_json",
    "read_arguments",
    "receive_body",
    "refuse_other_forms",
    "refuse_other_types",
    "takes_json",
]

_FORMS = (RequestEncodingType.MULTI_PART, RequestEncodingType.URL_ENCODED)
_JSON = re.compile(rb"\s*[^;]*[/+]json\s*(;|$)", re.IGNORECASE)


class PlainRequest(Request[Any, Any, Any]):
    """Litestar's request, with no index of all headers to find the body's length, and no generator to read the body."""

    @property
    @override
    def content_length(self) -> int | None:
        known = body_length(self.scope["headers"])
        return super().content_length if known is None else known

    @override
    async def body(self) -> bytes:
        state = self._connection_state
        if state.body is Empty and self.is_connected:
            limit = self.route_handler.resolve_request_max_body_size()
            state.body = await receive_body(self.content_length, self.receive, limit)
            self.is_connected: bool = False
        return await super().body()


class JsonBody:
    """What a body is decoded as.

    Args:
        kind: The type.
        hook: What decodes types that msgspec does not know.

    Raises:
        TypeError: msgspec cannot decode the type.
    """

    __slots__ = ("decode", "hook", "kind")

    def __init__(self, kind: Any, hook: Hook) -> None:
        self.kind: object = kind
        self.hook: Hook = hook
        self.decode: Callable[[bytes], object] = msgspec.json.Decoder(kind, dec_hook=hook).decode


class Arguments:
    """Reads the arguments of one handler, but for its `Context`.

    Args:
        path: What converts those path parameters that are no text.
        query: Decodes the query string to a struct of parameters; None: there are none.
        data: What the body is; None: it is not asked for.
        takes_request: Whether the handler takes the request itself.

    Attributes:
        takes_body: Whether the body is asked for.
        takes_request: Whether the handler takes the request itself, as ``request``.
    """

    def __init__(
        self,
        path: Mapping[str, Callable[[object], object]],
        query: Decoder | None,
        data: JsonBody | None,
        *,
        takes_request: bool,
    ) -> None:
        self._path = tuple(path.items())
        self._query = query
        self._data = data
        self.takes_body: bool = data is not None
        self.takes_request: bool = takes_request

    def read(self, scope: HTTPScope, body: bytes | None) -> dict[str, object] | None:
        """The arguments by name, but for the request; None where Litestar is to read them, as it can say what is wrong.

        Args:
            scope: Of the request, whose route is known.
            body: The body; None: it is not asked for.

        Raises:
            InvalidBody: The body is JSON, but not of the handler's type.
        """
        values: dict[str, object] = {**scope["path_params"]}
        try:
            for name, convert in self._path:
                values[name] = convert(values[name])
            if self._query is not None:
                values |= msgspec.structs.asdict(cast("msgspec.Struct", self._query(scope["query_string"])))
        except (msgspec.ValidationError, BadRequest):
            return None
        if self._data is not None and body is not None:
            try:
                values["data"] = self._data.decode(body)
            except msgspec.ValidationError as error:
                found = body_mistakes(body, self._data.kind, error, self._data.hook)
                raise InvalidBody(scope, found) from error
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
        return values


async def receive_body(length: int | None, receive: Receive, limit: int | None) -> bytes:
    """All of a request's body.

    Args:
        length: What the request says of its length, in bytes; None: nothing.
        receive: ASGI's.
        limit: How long it may be, in bytes; None or 0: as long as it likes.

    Raises:
        RequestEntityTooLarge: It is longer.
        InternalServerException: The client has gone.
    """
    most = limit or math.inf
    if (length or 0) > most:
        raise RequestEntityTooLarge
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            raise InternalServerException("client disconnected prematurely")  # Litestar's words
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            raise RequestEntityTooLarge
        has_more = message.get("more_body", False)
    return b"".join(parts)


def refuse_other_types(headers: Headers) -> bool:
    """Refuse a body that is no JSON by its type; returns whether it has a type. Raises `HTTPException`.

    A browser sends some types, such as that of a form, and bodies without a type, for any page, without asking whether
    it may. That a body without a type is empty, and allowed, is known when it has been received.
    """
    for name, value in headers:
        if name == b"content-type":
            if value != b"application/json" and not _JSON.match(value):
                raise no_json(value.decode("latin-1"))
            return True
    return False


def no_json(given: str) -> HTTPException:
    """The error for a body that is no JSON by its type."""
    return HTTPException(
        f"The body is to be JSON, with the header Content-Type: application/json, not {given}",
        status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )


def refuse_other_forms(form: str, headers: Headers) -> None:
    """Refuse a body that is no form of this kind by its type, before it is read.

    Args:
        form: The media type.
        headers: Of the request.

    Raises:
        HTTPException: It is none, or has no type.
    """
    given, has_body = None, False
    for name, value in headers:
        if name == b"content-type":
            given = value.decode("latin-1")
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
    if given is None and not has_body:
        return
    if given is None or given.partition(";")[0].strip().lower() != form:
        raise HTTPException(
            f"The body is to be a form, with the header Content-Type: {form}, not {given or 'without it'}",
            status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def read_arguments(signature: Signature, path_names: Collection[str], handler: HTTPRouteHandler) -> Arguments | None:
    """What reads the arguments of a handler that is part of an app; None where only Litestar can."""
    left = [parameter for parameter in signature.left if not is_context(parameter)]
    provided = {*handler.resolve_dependencies(), *(RESERVED - {"data", "request"})}
    if any(parameter.name in provided or not _is_plain(parameter) for parameter in left):
        return None
    if cast("_Resolved", handler).resolve_data_dto() is not None:
        return None
    if any("{" in getattr(layer, "path", "") for layer in handler.ownership_layers):  # parameters for all routes
        return None
    kinds = {parameter.name: cast("Any", parameter.annotation) for parameter in left}
    query = [_field(parameter) for parameter in left if parameter.name not in {*path_names, "data", "request"}]
    try:
        path = {name: _converter(kinds[name]) for name in path_names if kinds[name] is not str}
        decode = compile_query_decoder(msgspec.defstruct("Query", query)) if query else None
        data = JsonBody(kinds["data"], handler.default_deserializer) if "data" in kinds else None
    except (TypeError, UnsupportedTypeError):  # a type that Litestar may know, or a plugin of it
        return None
    return Arguments(path, decode, data, takes_request="request" in kinds)


def takes_json(handler: HTTPRouteHandler) -> bool:
    """Whether the body that a handler asks for is JSON, and the user has said nothing else: no form, no DTO."""
    field = handler.parsed_data_field
    if field is None or cast("_Resolved", handler).resolve_data_dto() is not None:
        return False
    marker = field.kwarg_definition
    return not isinstance(marker, BodyKwarg) or marker.media_type == RequestEncodingType.JSON


def form_type(handler: HTTPRouteHandler) -> str | None:
    """The media type of the form that a handler asks for as its body; None: it asks for none."""
    field = handler.parsed_data_field
    marker = None if field is None else field.kwarg_definition
    if not isinstance(marker, BodyKwarg):
        return None
    return next((form.value for form in _FORMS if marker.media_type == form), None)


def _converter(kind: type) -> Callable[[object], object]:
    require_json_type(kind)
    return partial(msgspec.convert, type=kind, strict=False)


class _Resolved(Protocol):
    """What is used of Litestar's handlers, whose own types are partly unknown."""

    def resolve_data_dto(self) -> object: ...


def _is_plain(parameter: Parameter) -> bool:
    """Whether a parameter has no marker of Litestar's, and is no file."""
    annotation, marker = parameter.annotation, type(parameter.default).__module__
    metadata = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    return (
        all(isinstance(part, msgspec.Meta) for part in metadata)
        and not is_file(annotation)
        and not marker.startswith("litestar.")
    )


def _field(parameter: Parameter) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = cast("Any", parameter.annotation)
    return (parameter.name, kind) if parameter.default is MISSING else (parameter.name, kind, parameter.default)
