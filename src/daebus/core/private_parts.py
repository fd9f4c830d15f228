"""Parts of libraries that are private or not documented: whether the installed version has them still.

A newer version may change them without notice, and a pinned one would be in the way of whoever installs daebus beside
other packages. So they are looked for before they are used. Where one is missing that only makes daebus faster,
requests take the longer way, and the log says so; where daebus cannot do without, it does not start, and one line says
why.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from daebus.errors import StartupError

__all__ = ["GRANIAN", "LITESTAR", "LITESTAR_SHORT", "REDIS", "find", "installed", "missing", "require"]

_MISSING = object()
_HANDLER = "litestar.handlers:HTTPRouteHandler"

LITESTAR_SHORT: Sequence[str] = (
    "litestar:Litestar.asgi_handler",
    "litestar:Litestar.asgi_router",
    "litestar._asgi.asgi_router:ASGIRouter.handle_routing",
    "litestar.datastructures:FormMultiDict.close",
    "litestar.datastructures:FormMultiDict.from_form_data",
    "litestar.plugins:ReceiveRoutePlugin.receive_route",
    "litestar.routes:HTTPRoute._call_handler_function",
    "litestar.routes:HTTPRoute._get_cached_response",
    "litestar.routes:HTTPRoute.handle",
    "litestar.routes:HTTPRoute.route_handler_map",
    "litestar.utils.scope.state:ScopeState.body",
    "litestar.utils.scope.state:ScopeState.form",
    "litestar.utils.scope.state:ScopeState.from_scope",
    f"{_HANDLER}.authorize_connection",
    f"{_HANDLER}.to_response",
)
"""What the short ways of requests need of Litestar: see `daebus.http.fast_path`."""

LITESTAR: Sequence[str] = (
    "litestar:WebSocket.receive_wrapper",
    "litestar:WebSocket.send_wrapper",
    "litestar.exceptions.http_exceptions:RequestEntityTooLarge",
    "litestar.handlers:WebsocketRouteHandler.resolve_middleware",
    "litestar.response.base:ASGIResponse.send_body",
    "litestar.response.base:ASGIResponse.start_response",
    "litestar.serialization:get_serializer",
    "litestar.serialization.msgspec_hooks:DEFAULT_TYPE_ENCODERS",
    "litestar.types.internal_types:PathParameterDefinition",
    "litestar.utils.helpers:get_enum_string_value",
    "litestar.utils.predicates:is_async_callable",
    "litestar.utils.sync:AsyncIteratorWrapper.iterator",
    f"{_HANDLER}.parsed_data_field",
    f"{_HANDLER}.parsed_fn_signature",
    f"{_HANDLER}.resolve_after_response",
    f"{_HANDLER}.resolve_before_request",
    f"{_HANDLER}.resolve_data_dto",
    f"{_HANDLER}.resolve_dependencies",
    f"{_HANDLER}.resolve_exception_handlers",
    f"{_HANDLER}.resolve_guards",
    f"{_HANDLER}.resolve_request_class",
    f"{_HANDLER}.resolve_request_max_body_size",
    f"{_HANDLER}.resolve_response_class",
    f"{_HANDLER}.resolve_response_cookies",
    f"{_HANDLER}.resolve_response_headers",
    f"{_HANDLER}.resolve_return_dto",
    f"{_HANDLER}.resolve_type_encoders",
)
"""What routes and WebSockets need of Litestar."""

GRANIAN: Sequence[str] = (
    "granian.net:SocketHolder",
    "granian.server.embed:Server._init_shared_socket",
    "granian.server.embed:Server.serve",
    "granian.server.embed:Server.stop",
)
"""What `daebus.server.server` needs of Granian, whose embedded server calls itself experimental."""

REDIS: Sequence[str] = (
    "redis.asyncio:Connection._writer",
    "redis.asyncio:Connection.can_read",
    "redis.crc:key_slot",
)
"""What `daebus.connection.session` needs of redis-py."""


def find(part: str) -> object | None:
    """A part, written ``module:Name.attribute``; None where the installed version has none."""
    module, _, names = part.partition(":")
    try:
        found: object = import_module(module)
    except ImportError:
        return None
    for name in names.split("."):
        found = getattr(found, name, _MISSING)
        if found is _MISSING:
            return None
    return found


def missing(parts: Sequence[str]) -> list[str]:
    """Those of some parts that the installed versions do not have."""
    return [part for part in parts if find(part) is None]


def installed(library: str) -> str:
    """The library with its version, for messages."""
    from importlib import metadata  # noqa: PLC0415  # it loads much that a start does not need

    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return library


def require(library: str, parts: Sequence[str]) -> None:
    """Refuse a version of a library that does not have some parts.

    Raises:
        StartupError: One line names the version, the first part that is missing, and what to install.
    """
    absent = missing(parts)
    if absent:
        raise StartupError(
            f"{installed(library)} has no {absent[0].replace(':', '.')}, which daebus uses. Install the version of "
            f"{library} that this daebus was tested with, or a newer daebus: pip install --upgrade daebus."
        )
