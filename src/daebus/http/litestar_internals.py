"""Litestar's internals: everything that daebus uses beyond Litestar's documented interface is in this module.

A newer Litestar may change any of it, so names and parameters are checked at the start. If something in `REQUIRED` is
missing, the service does not start, and one line says why. If something in `FAST_PATH` is missing, every request goes
through Litestar, and this is logged in one line. Undocumented modules are imported nowhere else; ruff enforces this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from litestar import Litestar
from litestar.datastructures import FormMultiDict
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, AsyncAnyCallable, Receive, Scope, Send
from litestar.typing import FieldDefinition
from typing_extensions import override

from daebus.asgi.problems import AnyRequest
from daebus.core.private_parts import find, missing

_SCOPE_STATE = "litestar.utils.scope.state:ScopeState"

FAST_PATH: Sequence[str] = (
    "litestar:Litestar.asgi_handler",
    "litestar:Litestar.asgi_router",
    "litestar._asgi.asgi_router:ASGIRouter.handle_routing",
    "litestar._asgi.asgi_router:ASGIRouter._handle_routing(path, method)",
    "litestar.datastructures:FormMultiDict.from_form_data(form_data)",
    "litestar.handlers:HTTPRouteHandler.authorize_connection(connection)",
    "litestar.handlers:HTTPRouteHandler.to_response(app, data, request)",
    "litestar.plugins:ReceiveRoutePlugin.receive_route(route)",
    "litestar.routes:HTTPRoute._call_handler_function(scope, request, parameter_model, route_handler)",
    "litestar.routes:HTTPRoute._get_cached_response(request, route_handler)",
    "litestar.routes:HTTPRoute.handle(scope, receive, send)",
    "litestar.routes:HTTPRoute.route_handler_map",
    f"{_SCOPE_STATE}.from_scope(scope)",
    f"{_SCOPE_STATE}.body",
    f"{_SCOPE_STATE}.form",
)
"""The internals that the fast path needs: see `daebus.http.fast_path`."""

_OF_HANDLERS = (
    "default_deserializer ownership_layers parsed_data_field parsed_fn_signature resolve_after_response "
    "resolve_before_request resolve_data_dto resolve_dependencies resolve_exception_handlers resolve_guards "
    "resolve_request_class resolve_request_max_body_size resolve_response_class resolve_response_cookies "
    "resolve_response_headers resolve_return_dto resolve_type_encoders signature_model"
)

REQUIRED: Sequence[str] = (
    "litestar.exceptions.http_exceptions:RequestEntityTooLarge",
    "litestar.handlers:WebsocketRouteHandler.resolve_middleware",
    "litestar.response.base:ASGIResponse.send_body",
    "litestar.response.base:ASGIResponse.start_response",
    "litestar.serialization:get_serializer",
    "litestar.serialization.msgspec_hooks:DEFAULT_TYPE_ENCODERS",
    "litestar.utils.helpers:get_enum_string_value",
    "litestar.utils.predicates:is_async_callable",
    "litestar.utils.sync:AsyncIteratorWrapper.iterator",
    *(f"litestar.handlers:HTTPRouteHandler.{name}" for name in _OF_HANDLERS.split()),
)
"""The internals that routes and WebSockets need."""

if TYPE_CHECKING:
    from litestar.exceptions.http_exceptions import RequestEntityTooLarge
    from litestar.serialization.msgspec_hooks import DEFAULT_TYPE_ENCODERS
    from litestar.utils.helpers import get_enum_string_value
    from litestar.utils.predicates import is_async_callable
    from litestar.utils.scope.state import ScopeState
    from litestar.utils.sync import AsyncIteratorWrapper
else:
    # This module must be importable whatever is missing, so that `missing` can be called.
    RequestEntityTooLarge = find("litestar.exceptions.http_exceptions:RequestEntityTooLarge")
    DEFAULT_TYPE_ENCODERS = find("litestar.serialization.msgspec_hooks:DEFAULT_TYPE_ENCODERS")
    get_enum_string_value = find("litestar.utils.helpers:get_enum_string_value")
    is_async_callable = find("litestar.utils.predicates:is_async_callable")
    ScopeState = find(_SCOPE_STATE)
    AsyncIteratorWrapper = find("litestar.utils.sync:AsyncIteratorWrapper")

__all__ = [
    "BODY_ITERATORS",
    "CLIENT_GONE",
    "DEFAULT_TYPE_ENCODERS",
    "FAST_PATH",
    "REQUIRED",
    "AsyncIteratorWrapper",
    "Convert",
    "LitestarRouter",
    "OwnHandler",
    "OwnRoute",
    "RequestEntityTooLarge",
    "broken_request",
    "get_enum_string_value",
    "is_async_callable",
    "keep_body",
    "lacks_file",
    "parameters_of",
    "received_body",
    "received_form",
    "replace_class",
]

HAS_STATE = not missing([_SCOPE_STATE])  # whether requests keep their state in the expected place

BODY_ITERATORS = ("iterator", "content_async_iterator")  # of responses, and of server-sent events

CLIENT_GONE = "client disconnected prematurely"
"""Litestar's message if the client disconnects before the body has arrived."""


def replace_class(route: BaseRoute, kind: type[OwnRoute]) -> None:
    """Change the class of a Litestar route to ours: Litestar has no option for the class of its routes."""
    if isinstance(route, HTTPRoute):
        route.__class__ = kind


class LitestarRouter:
    """Litestar's router, used without the middleware around it.

    Args:
        app: The app that has the router.
    """

    __slots__ = ("_app", "_handler")

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._handler = app.asgi_handler if getattr(app.asgi_handler, "app", None) is app.asgi_router else None

    def find(self, scope: Any, handle: object) -> HTTPRouteHandler | None:
        """The handler of a request, which is also stored in the scope, as Litestar does.

        None if there is no handler or if more must be done than to call it; Litestar handles these requests.

        Args:
            scope: ASGI's.
            handle: The function that handles requests for our routes; if the route has another one, there is middleware
                before it.
        """
        app, path = self._app, scope["path"]
        if app.asgi_handler is not self._handler or app.before_send or scope.get("root_path"):
            return None
        if "//" in path or path[:1] != "/" or (path.endswith("/") and path != "/"):  # Litestar normalizes such a path
            return None
        try:
            route, handler, _, parameters, template = app.asgi_router.handle_routing(path=path, method=scope["method"])
        except Exception:  # Litestar calls its router again, then answers and logs
            return None
        if getattr(route, "__func__", None) is not handle:
            return None
        # Also for code around the app, such as metrics that use it as a label.
        scope["app"] = scope["litestar_app"] = app
        scope["route_handler"], scope["path_template"], scope["path_params"] = handler, template, parameters
        return handler if isinstance(handler, HTTPRouteHandler) else None


class OwnRoute(HTTPRoute):
    """A Litestar route whose handler is called, and whose answers are made, by daebus."""

    __slots__ = ()

    def handler_of(self, method: str) -> HTTPRouteHandler:
        """The handler of a method."""
        return self.route_handler_map[cast("Any", method)][0]

    async def answer(self, handler: HTTPRouteHandler, scope: Any, receive: Receive, send: Send, call: _Call) -> None:
        """Do Litestar's steps around the call of a handler: guards, cache, sending, the hook after the response.

        Args:
            handler: The handler.
            scope: ASGI's.
            receive: ASGI's.
            send: ASGI's.
            call: Calls the handler and makes the answer.
        """
        resolved = cast("Any", handler)  # Litestar's types are partly unknown
        request: AnyRequest = resolved.resolve_request_class()(scope, receive, send)
        if resolved.resolve_guards():
            await resolved.authorize_connection(request)
        try:
            answer: ASGIApp | None = None
            if handler.cache:
                answer = await cast("Any", self)._get_cached_response(request, handler)  # noqa: SLF001
            if answer is None:
                answer = await call(request)
            await answer(scope, receive, send)
            after = handler.resolve_after_response()
            if after is not None:
                await after(request)
        finally:
            form = received_form(scope)
            if form is not None:
                await FormMultiDict.from_form_data(form).close()

    async def call(self, request: AnyRequest, handler: HTTPRouteHandler) -> ASGIApp:
        """Let Litestar read the arguments, call the handler, and make the answer."""
        model = self.route_handler_map[request.method][1]
        answer: ASGIApp = await cast("Any", self)._call_handler_function(request.scope, request, model, handler)  # noqa: SLF001
        return answer


_Call = Callable[[AnyRequest], Awaitable[ASGIApp]]


class OwnHandler(HTTPRouteHandler):
    """A Litestar handler with own exception handlers, an own hook before the call, and own answers."""

    kept_exception_handlers: dict[int | type[Exception], Any] | None = None

    @override
    def resolve_exception_handlers(self) -> dict[int | type[Exception], Any]:
        if self.kept_exception_handlers is None:
            return cast("Any", super()).resolve_exception_handlers()  # type: ignore[no-any-return]
        return self.kept_exception_handlers

    def keep_exception_handlers(self) -> None:
        """Collect the exception handlers of all layers, once: Litestar would do so for each request."""
        self.kept_exception_handlers = self.resolve_exception_handlers()

    @override
    def resolve_before_request(self) -> AsyncAnyCallable | None:
        return self.hook(super().resolve_before_request())

    @override
    async def to_response(self, app: Litestar, data: object, request: AnyRequest) -> ASGIApp:
        make = cast("Any", super()).to_response
        return await self.convert(data, request, lambda result: make(app, result, request))

    def hook(self, given: AsyncAnyCallable | None) -> AsyncAnyCallable | None:
        """The hook that Litestar calls before the handler; `given`: the user's."""
        return given

    async def convert(self, data: object, request: AnyRequest, make: Convert) -> ASGIApp:
        """The response for the result of the handler; `make`: Litestar's own conversion."""
        return await make(data)


Convert = Callable[[object], Awaitable[ASGIApp]]


def _state_of(scope: Scope) -> Any:
    """The state of a request; an empty one if Litestar keeps it elsewhere."""
    return ScopeState.from_scope(scope) if HAS_STATE else SimpleNamespace(body=None, form=None)


def received_body(scope: Scope) -> bytes | None:
    """The body of a request, if it was received completely."""
    body = _state_of(scope).body
    return body if isinstance(body, bytes) else None


def keep_body(scope: Scope, body: bytes) -> None:
    """Keep the body of a request for Litestar, as it can be received only once."""
    _state_of(scope).body = body


def received_form(scope: Scope) -> dict[str, Any] | None:
    """The form of a request, if it was received."""
    form = _state_of(scope).form
    return cast("dict[str, Any]", form) if isinstance(form, dict) else None


def parameters_of(handler: HTTPRouteHandler) -> Iterator[tuple[str, FieldDefinition, object]]:
    """The parameters that Litestar fills: name, field definition and type."""
    kinds: dict[str, object] = cast("Any", handler).signature_model.__annotations__
    for name, field in handler.parsed_fn_signature.parameters.items():
        if kinds.get(name) is not None:
            yield name, field, kinds[name]


def lacks_file(error: Exception) -> bool:
    """Whether a form lacks the file that is the handler's only field, on which Litestar fails."""
    is_end = isinstance(error, IndexError) or (
        isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration)
    )
    return is_end and _raised_in(error, "litestar._kwargs.")


def broken_request(error: Exception) -> str | None:
    """The mistake in a request, if Litestar reports a client error as a server error."""
    if isinstance(error, InternalServerException) and error.detail == CLIENT_GONE:
        return "The body ended too early"
    if isinstance(error, RecursionError | UnicodeDecodeError) and _raised_in(error, "litestar."):
        return "The request cannot be decoded: it is nested too deeply, or is not UTF-8"
    return None


def _raised_in(error: Exception, package: str) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(package)
