"""Reads the arguments of most requests without Litestar's model, which takes longer than all other steps."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.enums import RequestEncodingType
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg
from litestar.types import HTTPScope, Receive
from typing_extensions import override

from daebus.declare.decorated import is_context
from daebus.declare.paths import RESERVED
from daebus.declare.signatures import MISSING, Signature
from daebus.payloads.codec import (
    UNDECODABLE,
    QueryParser,
    UnsupportedTypeError,
    compile_query_parser,
    require_json_type,
)
from daebus.payloads.inputs import Hook, JsonInput, ValuesInput
from daebus.payloads.mistake_search import find_mistakes, missing
from daebus.payloads.mistakes import Mistakes
from daebus.server.draining import BODY_PASSED_ON, body_length

from .litestar_internals import CLIENT_GONE, RequestEntityTooLarge, keep_body, received_body
from .mistakes import look
from .parameters import Argument, is_plain, read_argument

__all__ = ["Arguments", "PlainRequest", "form_type", "read_arguments", "receive_body", "takes_json"]

_FORMS = (RequestEncodingType.MULTI_PART, RequestEncodingType.URL_ENCODED)
_TEXT = ValuesInput()


class PlainRequest(Request[Any, Any, Any]):
    """Litestar's request, but the body is read without an index of all headers and without a generator."""

    @property
    @override
    def content_length(self) -> int | None:
        known = body_length(self.scope["headers"])
        return super().content_length if known is None else known

    @override
    async def stream(self) -> AsyncGenerator[bytes]:
        if self.route_handler.parsed_data_field is None:  # else Litestar reads a form, whose small files are in memory
            cast("dict[str, object]", self.scope).setdefault(BODY_PASSED_ON, True)
        async for chunk in super().stream():
            yield chunk

    @override
    async def form(self) -> FormMultiDict:
        cast("dict[str, object]", self.scope)[BODY_PASSED_ON] = False  # likewise
        return await super().form()

    @override
    async def body(self) -> bytes:
        if self.is_connected and received_body(self.scope) is None:
            limit = self.route_handler.resolve_request_max_body_size()
            keep_body(self.scope, await receive_body(self.content_length, self.receive, limit))
            self.is_connected: bool = False
        return await super().body()


class JsonBody:
    """The decoder of a body.

    Args:
        kind: The type.
        hook: What decodes types that msgspec does not know.

    Raises:
        TypeError: msgspec cannot decode the type.
    """

    __slots__ = ("decode", "form", "kind")

    def __init__(self, kind: Any, hook: Hook) -> None:
        self.kind: object = kind
        self.form: JsonInput = JsonInput(hook)
        self.decode: Callable[[bytes], object] = msgspec.json.Decoder(kind, dec_hook=hook).decode


class _Query:
    """The decoder of a query string, to a struct of all its arguments. Raises `UnsupportedTypeError`."""

    __slots__ = ("kind", "parse")

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        self.kind: type[msgspec.Struct] = kind
        self.parse: QueryParser = compile_query_parser(kind)


class Arguments:
    """Reads the arguments of one handler from requests, except its `Context`.

    Args:
        arguments: The arguments, in the order of the handler's signature.
        hook: Decodes types in a body that msgspec does not know.
        takes_request: Whether the handler takes the request itself.

    Attributes:
        takes_body: Whether the handler takes the body.
        takes_request: Whether the handler takes the request itself, as ``request``.

    Raises:
        TypeError: msgspec cannot decode a type.
        UnsupportedTypeError: msgspec cannot decode a type of the query string.
    """

    def __init__(self, arguments: Sequence[Argument], hook: Hook, *, takes_request: bool) -> None:
        self._arguments = tuple(arguments)
        in_path = [one for one in arguments if one.place == "path" and (one.kind is not str or one.name != one.wire)]
        self._path = [(one.wire, one.name, _converter(one.kind)) for one in in_path]
        query = [one for one in arguments if one.place == "query"]
        self._query = _Query(_struct_of(query)) if query else None
        self._data = next((JsonBody(one.kind, hook) for one in arguments if one.place == "body"), None)
        self.takes_body: bool = self._data is not None
        self.takes_request: bool = takes_request

    def read(self, scope: HTTPScope, body: bytes | None) -> dict[str, object] | Mistakes | None:
        """Read the arguments of a request.

        Args:
            scope: The scope of the request, whose route is known.
            body: The body; None: the handler does not take it.

        Returns:
            The arguments by name, without the request; or all mistakes in them; or None if Litestar must read them, as
            it handles empty bodies and explains bodies that are not JSON.
        """
        values: dict[str, object] = {**scope["path_params"]}
        query: Mapping[str, object] = {}
        try:
            if self._query is not None:
                query = self._query.parse(scope["query_string"])
                values |= msgspec.structs.asdict(msgspec.convert(query, self._query.kind, strict=False))
            for wire, name, convert in self._path:
                values[name] = convert(values.pop(wire))
            if self._data is not None and body is not None:
                values["data"] = self._data.decode(body)
        except msgspec.ValidationError:
            return self._find_mistakes({"path": scope["path_params"], "query": query}, body)
        except UNDECODABLE:
            return None
        return values

    def _find_mistakes(self, given: Mapping[str, Mapping[str, object]], body: bytes | None) -> Mistakes | None:
        """All mistakes in the arguments; None if the body is not JSON."""
        found = Mistakes([])
        for _, name, place, kind, default in self._arguments:
            if place == "body":
                if not self._look_at_body(body, found, is_required=default is MISSING):
                    return None
            elif (value := given[place].get(name, MISSING)) is not MISSING:
                look(_TEXT, value, kind, place, name, found)
            elif default is MISSING:
                found.add(place, name, missing(kind))
        return found if found.found else None

    def _look_at_body(self, body: bytes | None, found: Mistakes, *, is_required: bool) -> bool:
        """Add the mistakes in the body; returns whether it is JSON or empty."""
        data = cast("JsonBody", self._data)
        if not body:
            if is_required:
                found.add("body", "$", missing(data.kind))
            return True
        error = data.form.check(body, data.kind)
        if error is not None:
            found.take(find_mistakes(data.form, body, data.kind, error, place="body"))
        return error is None or isinstance(error, msgspec.ValidationError)


async def receive_body(length: int | None, receive: Receive, limit: int | None) -> bytes:
    """All of a request's body.

    Args:
        length: The declared length in bytes; None: not declared.
        receive: The ASGI callable.
        limit: The maximum length in bytes; None or 0: no limit.

    Raises:
        RequestEntityTooLarge: The body is longer than the limit.
        InternalServerException: The client has disconnected.
    """
    most = limit or math.inf
    if (length or 0) > most:
        raise RequestEntityTooLarge
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            raise InternalServerException(CLIENT_GONE)
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            raise RequestEntityTooLarge
        has_more = message.get("more_body", False)
    return b"".join(parts)


def read_arguments(signature: Signature, path_names: Collection[str], handler: HTTPRouteHandler) -> Arguments | None:
    """The reader of the arguments of a handler that is part of an app; None if only Litestar can read them."""
    left = [parameter for parameter in signature.left if not is_context(parameter)]
    provided = {*handler.resolve_dependencies(), *(RESERVED - {"data", "request"})}
    if any(parameter.name in provided or not is_plain(parameter) for parameter in left):
        return None
    if cast("_Resolved", handler).resolve_data_dto() is not None:
        return None
    if any("{" in getattr(layer, "path", "") for layer in handler.ownership_layers):  # parameters for all routes
        return None
    takes_request = any(parameter.name == "request" for parameter in left)
    arguments = [read_argument(parameter, path_names) for parameter in left if parameter.name != "request"]
    try:
        return Arguments(arguments, handler.default_deserializer, takes_request=takes_request)
    except (TypeError, UnsupportedTypeError):  # a type that Litestar may know, or a plugin of it
        return None


def takes_json(handler: HTTPRouteHandler) -> bool:
    """Whether a handler takes its body as JSON, without a form or a DTO."""
    field = handler.parsed_data_field
    if field is None or cast("_Resolved", handler).resolve_data_dto() is not None:
        return False
    marker = field.kwarg_definition
    return not isinstance(marker, BodyKwarg) or marker.media_type == RequestEncodingType.JSON


def form_type(handler: HTTPRouteHandler) -> str | None:
    """The media type of the form that a handler takes as its body; None: it takes no form."""
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


def _struct_of(arguments: Sequence[Argument]) -> type[msgspec.Struct]:
    """A struct of the arguments in a query string."""
    fields = [one.as_field for one in arguments]
    return msgspec.defstruct("Query", fields, rename={one.name: one.wire for one in arguments}, kw_only=True)
