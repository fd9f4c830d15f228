"""The short ways of most requests: past what Litestar does for requests that need more.

A request for a handler without hooks, in an app without middleware, is answered before Litestar has seen it. Any other
has its arguments read, and its answer encoded, by ourselves, but within all that Litestar and the user have put around
it. Whatever fails is for Litestar to tell the client, and so goes Litestar's own way.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar import Litestar
from litestar.datastructures import FormMultiDict
from litestar.exceptions import LitestarException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Empty, Receive, Send
from typing_extensions import override

from daebus.asgi.mistakes import AnyRequest
from daebus.core.private_parts import find
from daebus.server.exchange import body_length

from .answers import Encoded
from .arguments import Arguments, PlainRequest, no_json, receive_body, refuse_other_types
from .bodies import Body
from .routes import BODY, RouteHandler

if TYPE_CHECKING:
    from litestar.utils.scope.state import ScopeState
else:
    # Where Litestar has it elsewhere, the short ways are closed.
    ScopeState = find("litestar.utils.scope.state:ScopeState")

__all__ = ["ShortWays"]

_OUTCOME = "daebus.outcome"
"""The key in the scope of a request whose handler has run already."""

_HOST, _MOST_HOSTS = re.compile(rb"[\w.:\[\]-]*"), 64


class _Outcome(msgspec.Struct):
    """What became of a request: what the handler has returned, or why it could not be called, or has failed."""

    data: object = None
    error: Exception | None = None


class ShortWays(ReceiveRoutePlugin):
    """The short ways of one Litestar app.

    Args:
        closed: Whether all requests go Litestar's own way, as the installed version is not the one that we know.
    """

    __slots__ = ("_app", "_bare", "_closed", "_hosts")

    def __init__(self, *, closed: bool = False) -> None:
        self._closed = closed
        self._app: Litestar | None = None
        self._bare: ASGIApp | None = None
        self._hosts: set[bytes] = set()  # some that are well-formed

    @override
    def receive_route(self, route: BaseRoute) -> None:
        if isinstance(route, HTTPRoute) and not self._closed:
            route.__class__ = _Route  # Litestar makes its routes itself, and asks nobody what they are to be

    def open(self, app: Litestar) -> None:
        """Let requests pass Litestar by, if nothing stands between it and its routes, and as long as that is so."""
        if not self._closed and getattr(app.asgi_handler, "app", None) is app.asgi_router:
            self._app, self._bare = app, app.asgi_handler

    async def answer(self, scope: Any, receive: Receive) -> Encoded | None:
        """The answer to a request; None where Litestar has to see to it, which then knows what was done already."""
        found = self._find(scope)
        if found is None:
            return None
        handler, arguments = found
        body = None
        try:
            if arguments.takes_body:
                is_typed = refuse_other_types(scope["headers"])
                body = await receive_body(body_length(scope["headers"]), receive, handler.body_limit)
                if body and not is_typed:
                    raise no_json("without it")
            values = arguments.read(scope, body)
            if values is not None:
                data = await handler.respond(scope, values)
                if isinstance(data, Encoded):
                    return data
                scope[_OUTCOME] = _Outcome(data)
        except Exception as error:
            scope[_OUTCOME] = _Outcome(error=error)
        if body is not None:
            ScopeState.from_scope(scope).body = body  # it can be received but once
        return None

    def _find(self, scope: Any) -> tuple[RouteHandler, Arguments] | None:
        app, path = self._app, scope["path"]
        if app is None or app.asgi_handler is not self._bare or app.before_send or scope.get("root_path"):
            return None
        if "//" in path or path[:1] != "/" or (path.endswith("/") and path != "/"):  # Litestar makes another one of it
            return None
        for name, value in scope["headers"]:
            if name == b"host" and value not in self._hosts:
                if not _HOST.fullmatch(value):
                    return None
                if len(self._hosts) < _MOST_HOSTS:
                    self._hosts.add(value)
        try:
            found = app.asgi_router.handle_routing(path=path, method=scope["method"])
            way, handler, _, parameters, template = found
        except Exception:  # Litestar asks its router once more, and tells the client and the log
            return None
        if not isinstance(handler, RouteHandler) or not handler.is_plain or handler.arguments is None:
            return None
        if getattr(way, "__func__", None) is not _Route.handle:  # middleware stands before it
            return None
        # As Litestar does it, also for whoever stands around the app, and labels metrics with it.
        scope["app"] = scope["litestar_app"] = app
        scope["route_handler"], scope["path_template"], scope["path_params"] = handler, template, parameters
        return handler, handler.arguments


class _Route(HTTPRoute):
    """Litestar's, with a short way for most requests: their arguments are read, and answers encoded, by ourselves."""

    __slots__ = ()

    @override
    async def handle(self, scope: Any, receive: Receive, send: Send) -> None:  # Litestar's own types of it differ
        handler, _ = self.route_handler_map[scope["method"]]
        try:
            if isinstance(handler, RouteHandler) and handler.arguments is not None:
                await self._handle(handler, handler.arguments, scope, receive, send)
            else:
                await super().handle(scope, receive, send)
        except ValidationException:
            if not isinstance(handler, RouteHandler) or handler.arguments is None:
                await _read_body(scope, receive, handler)
            raise
        finally:
            body = cast("dict[str, object]", scope).pop(BODY, None)
            if isinstance(body, Body):
                await body.abandon()

    async def _handle(
        self, handler: RouteHandler, arguments: Arguments, scope: Any, receive: Receive, send: Send
    ) -> None:
        request_class = cast("Any", handler.resolve_request_class())  # pyright: ignore[reportUnknownMemberType]
        request: AnyRequest = request_class(scope, receive, send)
        if handler.resolve_guards():  # pyright: ignore[reportUnknownMemberType]
            await handler.authorize_connection(request)  # pyright: ignore[reportUnknownMemberType]
        try:
            answer = None
            if handler.cache:
                answer = await self._get_cached_response(request, handler)  # pyright: ignore[reportUnknownMemberType]
            if answer is None:
                answer = await self._answer(request, handler, arguments)
            await answer(scope, receive, send)
            after = handler.resolve_after_response()
            if after is not None:
                await after(request)
        finally:
            form = ScopeState.from_scope(scope).form
            if form is not Empty:
                await FormMultiDict.from_form_data(form).close()

    async def _answer(self, request: AnyRequest, handler: RouteHandler, arguments: Arguments) -> ASGIApp:
        outcome = cast("_Outcome | None", cast("dict[str, object]", request.scope).pop(_OUTCOME, None))
        if outcome is not None:
            if outcome.error is not None:
                try:
                    raise outcome.error
                finally:
                    del outcome  # else the error, its traceback and this frame would keep one another
            return await handler.to_response(request.app, outcome.data, request)
        data = None if handler.before is None else await handler.before(request)
        if not data:
            values = await _arguments_of(request, arguments)
            if values is None:
                _, model = self.route_handler_map[request.method]
                return await self._call_handler_function(request.scope, request, model, handler)  # pyright: ignore[reportUnknownMemberType]
            data = await handler.respond(request.scope, values)
        return data if isinstance(data, Encoded) else await handler.to_response(request.app, data, request)


async def _read_body(scope: Any, receive: Receive, handler: HTTPRouteHandler) -> None:
    """Read what has not been read, as something else was missing, so that all mistakes can be told at once."""
    if isinstance(handler, RouteHandler) and handler.takes_json and ScopeState.from_scope(scope).body is Empty:
        with contextlib.suppress(LitestarException):
            await PlainRequest(scope, receive).body()


async def _arguments_of(request: AnyRequest, arguments: Arguments) -> dict[str, object] | None:
    """As `Arguments.read`. Raises `HTTPException` also where the body is no JSON by its type, or too large."""
    body = None
    if arguments.takes_body:
        is_typed = refuse_other_types(request.scope["headers"])
        body = await request.body()
        if body and not is_typed:
            raise no_json("without it")
    values = arguments.read(request.scope, body)
    if values is not None and arguments.takes_request:
        values["request"] = request
    return values
