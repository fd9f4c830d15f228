"""Encoding of a route handler's result, while its per-message objects are still open."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeGuard, cast

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.serialization import get_serializer
from litestar.types import ASGIApp, TypeEncodersMap

from daebus.asgi.encoded import Encoded
from daebus.declare.signatures import Signature
from daebus.errors import WiringError
from daebus.mistakes.show_type import show_type

from .bodies import Unfinished
from .litestar_internals import DEFAULT_TYPE_ENCODERS, get_enum_string_value, is_async_callable

__all__ = ["Encode", "choose_encoding"]

Encode = Callable[[object], object]
"""Converts a handler's result into the value from which Litestar makes a response."""

_JSON = "application/json"


def choose_encoding(signature: Signature, handler: HTTPRouteHandler, *, is_door: bool = False) -> Encode:
    """The encoder for the results of a handler that is part of an app.

    If Litestar or the user works on the object itself (a DTO, ``after_request``, a background task, a custom response
    class), the object is left unchanged, and Litestar encodes it.

    Args:
        signature: The signature of the handler.
        handler: Litestar's handler.
        is_door: Whether the handler is that of an action, whose reply is always JSON.

    Raises:
        WiringError: The handler's return type cannot be encoded as JSON.
    """
    hooked = any(getattr(layer, "after_request", None) for layer in handler.ownership_layers)
    if hooked or handler.background or cast("_Resolved", handler).resolve_return_dto() is not None:
        return Unfinished
    encoders = handler.resolve_type_encoders()
    media_type = get_enum_string_value(handler.media_type) or _JSON
    as_it_is = partial(_render_response, media_type, encoders)
    if not _is_json(handler, media_type, is_door=is_door):
        return as_it_is
    _refuse_unencodable(signature, encoders)
    encode_json = msgspec.json.Encoder(enc_hook=get_serializer(encoders)).encode
    plain = not (handler.resolve_response_headers() or handler.resolve_response_cookies())
    status, content_type = handler.status_code, media_type.encode("latin-1")

    def encode(result: object) -> object:
        if isinstance(result, Response) or (isinstance(result, bytes) and not is_door):
            return as_it_is(cast("object", result))
        body = encode_json(result)
        return Encoded(body, status, content_type) if plain else body

    return encode


def _refuse_unencodable(signature: Signature, encoders: TypeEncodersMap) -> None:
    known = {*DEFAULT_TYPE_ENCODERS, *encoders, object}
    unknown: list[type] = []

    def look(kind: type) -> dict[str, Any]:
        open_ended = kind is object or inspect.isabstract(kind) or getattr(kind, "_is_protocol", False)
        if not open_ended and known.isdisjoint(kind.__mro__[:-1]):
            unknown.append(kind)
        return {"title": kind.__name__}

    # A type without a schema may still be encodable.
    with contextlib.suppress(TypeError, ValueError, NameError, AttributeError):
        msgspec.json.schema(signature.returns, schema_hook=look)
    if unknown:
        raise WiringError(
            signature.problem(
                None,
                f"what it returns cannot be encoded as JSON: {show_type(unknown[0])} has no JSON form",
                "return a msgspec.Struct or a dataclass, or give type_encoders= to the route or to DaebusHttp",
                code="unencodable",
            )
        )


class _Resolved(Protocol):
    """The used attributes of Litestar's handlers, whose own types are partly unknown."""

    def resolve_return_dto(self) -> object: ...
    def resolve_response_class(self) -> object: ...


def _is_json(handler: HTTPRouteHandler, media_type: str, *, is_door: bool) -> bool:
    """Whether the handler returns data that goes out as JSON, in a plain response."""
    returns = handler.parsed_fn_signature.return_type
    status = handler.status_code
    if returns.is_subclass_of(Response if is_door else (Response, str, bytes)) or returns.annotation is ASGIApp:
        return False
    if is_async_callable(returns.annotation) or cast("_Resolved", handler).resolve_response_class() is not Response:
        return False
    return status >= 200 and status not in (204, 304) and (media_type == _JSON or media_type.endswith("+json"))


def _render_response(media_type: str, encoders: TypeEncodersMap, result: object) -> object:
    """Encode the content of a response that the handler has created, unless its class has its own encoding."""
    if not _is_response(result):
        return result if result is None or isinstance(result, str | bytes) else Unfinished(result)
    kind = cast("type[object]", type(result))
    if all(getattr(kind, name) is getattr(Response, name) for name in ("render", "to_asgi_response")):
        own = get_enum_string_value(result.media_type or media_type)
        serializer = get_serializer({**encoders, **result.response_type_encoders})
        result.content = result.render(result.content, own, serializer)
        if result.background is None:
            return result
    return Unfinished(result)


def _is_response(result: object) -> TypeGuard[Response[Any]]:
    return isinstance(result, Response)
