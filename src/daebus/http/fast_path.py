"""The fast path of HTTP: most requests are answered without the steps of Litestar that they do not need.

A request for a handler without hooks, in an app without middleware, is answered before Litestar sees it. For other
requests, daebus reads the arguments and encodes the answer, inside the hooks and middleware of Litestar and the user.
Wrong arguments are answered where they are found; all other failures go through Litestar to its exception handlers.
"""

from __future__ import annotations

import contextlib
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar.exceptions import LitestarException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute
from litestar.types import ASGIApp, Receive, Send
from typing_extensions import override

from daebus.asgi.encoded import Encoded, encoded_problem
from daebus.asgi.media_types import no_json, refuse_other_types
from daebus.asgi.problems import AnyRequest
from daebus.core.private_parts import installed, missing
from daebus.errors import BadRequest
from daebus.payloads.mistakes import Mistakes
from daebus.server.draining import body_length
from daebus.telemetry.logs import Logger

from .arguments import Arguments, PlainRequest, receive_body
from .bodies import Body
from .litestar_internals import FAST_PATH, LitestarRouter, OwnRoute, keep_body, received_body, replace_class
from .mistakes import InvalidRequest
from .routes import BODY, RouteHandler

if TYPE_CHECKING:
    from litestar import Litestar

__all__ = ["FastPath", "has_fast_path"]

_OUTCOME = "daebus.outcome"
"""The key in a request's scope for the outcome of a handler that has already run."""


class _Outcome(msgspec.Struct):
    """The outcome of a request: the handler's result, or why it failed or could not be called."""

    data: object = None
    error: Exception | None = None


def has_fast_path(logger: Logger) -> bool:
    """Whether the installed Litestar has everything that the fast path needs; if not, this is logged."""
    absent = missing(FAST_PATH)
    if absent:
        logger.warning(
            "the fast path of HTTP is off: this version of Litestar lacks internals that it needs",
            version=installed("litestar"),
            missing=absent,
            hint="everything works, a little slower; a newer daebus may support this version",
        )
    return not absent


class FastPath(ReceiveRoutePlugin):
    """The fast path of one Litestar app.

    Args:
        is_on: Whether the fast path is on; otherwise all requests go through Litestar.
    """

    __slots__ = ("_app", "_is_on", "_router")

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._router: LitestarRouter | None = None
        self._app: Litestar | None = None

    @override
    def receive_route(self, route: BaseRoute) -> None:
        if self._is_on:
            replace_class(route, _Route)

    def open(self, app: Litestar) -> None:
        """Answer requests before Litestar, as long as there is no middleware before its routes."""
        if self._is_on:
            self._app, self._router = app, LitestarRouter(app)

    async def answer(self, scope: Any, receive: Receive) -> Encoded | None:
        """The answer to a request; None if Litestar must handle it, which then reuses the completed steps."""
        handler = None if self._router is None else self._router.find(scope, _Route.handle)
        if not isinstance(handler, RouteHandler) or not handler.is_plain or handler.arguments is None:
            return None
        body = None
        try:
            if handler.arguments.takes_body:
                is_typed = refuse_other_types(scope["headers"])
                body = await receive_body(body_length(scope["headers"]), receive, handler.body_limit)
                if body and not is_typed:
                    raise no_json("without it")
            values = handler.arguments.read(scope, body)
            if isinstance(values, dict):
                data = await handler.respond(scope, values)
                if isinstance(data, Encoded):
                    return data
                scope[_OUTCOME] = _Outcome(data)
            elif values is not None:
                if handler.explains_mistakes and self._is_all_ours():
                    detail, details = values.sentence, values.details
                    return encoded_problem(scope, HTTPStatus.BAD_REQUEST, BadRequest.code, detail, details)
                scope[_OUTCOME] = _Outcome(error=InvalidRequest(scope, values))
        except Exception as error:
            scope[_OUTCOME] = _Outcome(error=error)
        if body is not None:
            keep_body(scope, body)
        return None

    def _is_all_ours(self) -> bool:
        """Whether the user has no hooks or handlers for failed requests."""
        app = cast("Any", self._app)
        has_hooks = len(app.after_exception) > 1  # more than the hook of `Problems`
        return not (has_hooks or app.logging_config or app.pdb_on_exception)


class _Route(OwnRoute):
    """A route for which daebus, for most requests, reads the arguments and encodes the answers."""

    __slots__ = ()

    @override
    async def handle(self, scope: Any, receive: Receive, send: Send) -> None:  # Litestar's own types of it differ
        handler = self.handler_of(scope["method"])
        try:
            if isinstance(handler, RouteHandler) and handler.arguments is not None:
                call = partial(self._call, handler, handler.arguments)
                await self.answer(handler, scope, receive, send, call)
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

    async def _call(self, handler: RouteHandler, arguments: Arguments, request: AnyRequest) -> ASGIApp:
        outcome = cast("_Outcome | None", cast("dict[str, object]", request.scope).pop(_OUTCOME, None))
        if outcome is not None:
            if outcome.error is not None:
                try:
                    raise outcome.error
                finally:
                    del outcome  # else the error, its traceback and this frame would be a reference cycle
            return await handler.to_response(request.app, outcome.data, request)
        data = None if handler.before is None else await handler.before(request)
        if not data:
            values = await _arguments_of(request, arguments)
            if values is None:
                return await self.call(request, handler)
            data = await handler.respond(request.scope, values)
        return data if isinstance(data, Encoded) else await handler.to_response(request.app, data, request)


async def _read_body(scope: Any, receive: Receive, handler: HTTPRouteHandler) -> None:
    """Read an unread body after another argument was missing, so that all mistakes can be reported at once."""
    if isinstance(handler, RouteHandler) and handler.takes_json and received_body(scope) is None:
        with contextlib.suppress(LitestarException):
            await PlainRequest(scope, receive).body()


async def _arguments_of(request: AnyRequest, arguments: Arguments) -> dict[str, object] | None:
    """The arguments of a request; None if Litestar must read them.

    Raises:
        InvalidRequest: They are wrong.
        HTTPException: The type of the body is not JSON, or the body is too large.
    """
    body = None
    if arguments.takes_body:
        is_typed = refuse_other_types(request.scope["headers"])
        body = await request.body()
        if body and not is_typed:
            raise no_json("without it")
    values = arguments.read(request.scope, body)
    if isinstance(values, Mistakes):
        raise InvalidRequest(request.scope, values)
    if values is not None and arguments.takes_request:
        values["request"] = request
    return values
