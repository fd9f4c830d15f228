"""One route as a Litestar handler: its signature is the part left of the ``*``, its body is `dispatch`."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent
from litestar.types import ASGIApp, AsyncAnyCallable, Scope
from typing_extensions import override

from daebus.asgi.encoded import Encoded
from daebus.asgi.media_types import checking_form, no_json, refuse_other_types
from daebus.asgi.problems import AnyRequest, request_id
from daebus.asgi.timeouts import TIMEOUT, read_timeout
from daebus.core.stopping import Stopping
from daebus.declare.decorated import is_context
from daebus.declare.paths import is_file, litestar_path, path_parameters, success_status
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import RouteSpec
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint
from daebus.errors import NotFound, WiringError, WiringProblem
from daebus.files.ranges import with_ranges
from daebus.identity.needs import user_needs
from daebus.identity.schemes import BEARER, challenges
from daebus.mistakes.suggestions import did_you_mean
from daebus.openapi.errors import INVALID_INPUT, documented_errors, find_undocumented
from daebus.telemetry.logs import Logger

from .answers import Encode, choose_encoding
from .arguments import Arguments, PlainRequest, form_type, read_arguments, takes_json
from .bodies import Body, Unfinished
from .events import answering_with_events, documented_events, streaming
from .litestar_internals import Convert, OwnHandler
from .parameters import litestar_annotations
from .problems import answers_mistakes, unhidden

__all__ = ["BODY", "HttpRoute", "RouteHandler", "make_handler"]

Respond = Callable[[Scope, dict[str, object]], Awaitable[object]]
R = TypeVar("R")

_Function = Callable[..., Coroutine[Any, Any, object]]

BODY = "daebus.body"
"""The key in a request's scope for its `Body`, if it has one."""

_SET_BY_ROUTE = {"path", "http_method", "status_code", "sync_to_thread", "kwargs"}
_OPTIONS = frozenset(inspect.signature(HTTPRouteHandler).parameters) - _SET_BY_ROUTE


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """A recorded route and its endpoint, which need not encode the handler's result."""

    spec: RouteSpec
    endpoint: Endpoint[object]


class RouteHandler(OwnHandler):
    """A route as Litestar registers it.

    Attributes:
        make_delivery: Makes the delivery when the encoder of the handler's result is known.
        delivery: Passes requests to the handler; set by `fit`.
        respond: Passes the arguments of a request to the handler and returns its encoded result; set by `fit`.
        arguments: The reader of the arguments of most requests; None if Litestar reads them.
        before: The user's ``before_request`` hook.
        takes_json: Whether its body must be JSON, also by its content type.
        body_limit: The maximum length of its body in bytes; None or 0: no limit.
        logger: For what fails after a response has begun.
        is_plain: Whether only the handler is called: no hook, no guard, no cache.
        explains_mistakes: Whether the user has no exception handler for wrong arguments.
        challenge: The header ``WWW-Authenticate`` of an answer with 401; None: there is none.
    """

    route: HttpRoute
    make_delivery: Callable[[Encode], Delivery[object]]
    delivery: Delivery[object]
    respond: Respond
    logger: Logger
    arguments: Arguments | None = None
    before: AsyncAnyCallable | None = None
    takes_json: bool = False
    body_limit: int | None = None
    is_plain: bool = False
    explains_mistakes: bool = False
    challenge: str | None = None
    _check: AsyncAnyCallable | None = None  # checks a form's type, after the user's hook

    def fit(self, *, fast: bool) -> None:
        """Adapt the handler to the app that it is now part of, with everything that layers and plugins of the app add.

        Args:
            fast: Whether requests may take the fast path.

        Raises:
            WiringError: The handler's result cannot be encoded.
        """
        signature = self.route.endpoint.signature
        is_door = self.route.spec.opens is not None
        self.delivery = self.make_delivery(choose_encoding(signature, self, is_door=is_door))
        self.respond = (streaming if self.route.spec.has_events else _responding)(self.delivery)
        self.keep_exception_handlers()
        self.explains_mistakes = answers_mistakes(self.resolve_exception_handlers())
        self.takes_json = takes_json(self)
        self.before = self.resolve_before_request()
        form = form_type(self)
        self._check = None if form is None else checking_form(form, self.before)
        self.arguments = read_arguments(signature, path_parameters(self.route.spec.path), self) if fast else None
        self.body_limit = self.resolve_request_max_body_size()
        resolved = cast("Any", self)  # Litestar's types are partly unknown
        hooked = self.before or self.cache or resolved.resolve_guards() or resolved.resolve_after_response()
        known = resolved.resolve_request_class() is PlainRequest
        self.is_plain = known and not hooked and self.arguments is not None and not self.arguments.takes_request

    @override
    def hook(self, given: AsyncAnyCallable | None) -> AsyncAnyCallable | None:
        if self.arguments is not None:
            return None  # it has already run
        return self._check or given

    @override
    async def convert(self, data: object, request: AnyRequest, make: Convert) -> ASGIApp:
        if isinstance(data, Encoded):
            return data
        if not isinstance(data, Unfinished):
            return await make(data)
        body = Body(data, self.route.endpoint, self.logger)
        cast("dict[str, object]", request.scope)[BODY] = body

        async def make_ranged(result: object) -> ASGIApp:
            answer = await make(result)
            with_ranges(answer, request.scope["headers"])
            return answer

        return await body.prepare(make_ranged)


def make_handler(
    route: HttpRoute, provided: Collection[str], *, service: str, stopping: Stopping, logger: Logger
) -> RouteHandler:
    """A route as Litestar registers it.

    Args:
        route: The route.
        provided: The parameters that the ``dependencies`` of the whole Litestar app fill.
        service: The name of the service.
        stopping: Whether it is stopping.
        logger: For what fails after a response has begun.

    Raises:
        WiringError: Litestar does not have an option, or a parameter cannot be expressed in Litestar.
    """
    spec, endpoint = route.spec, route.endpoint
    _refuse_unknown_options(spec)
    signature = endpoint.signature
    dependencies = cast("Mapping[str, object]", spec.options.get("dependencies") or {})
    names = path_parameters(spec.path)
    hints = litestar_annotations(signature, names, {*provided, *dependencies})
    handler = RouteHandler(
        litestar_path(spec.path, signature),
        http_method=cast("Any", list(spec.methods)),  # checked before; Litestar's type is a union of literals
        status_code=spec.status_code or success_status(signature.returns, has_events=spec.has_events),
        **_options(route, has_input=bool(hints)),
    )

    def deliver_to(endpoint: Endpoint[R]) -> Delivery[R]:
        return Delivery(endpoint, service, stopping, logger, "http")

    def make_delivery(encode: Encode) -> Delivery[object]:
        if spec.has_events:
            made = answering_with_events(deliver_to(cast("Endpoint[bytes]", endpoint)), logger, spec.event_id)
        else:
            made = endpoint
            encode = encode if spec.opens is None else _after(endpoint.encode, encode)
        return deliver_to(msgspec.structs.replace(made, encode=encode))

    handler.route, handler.make_delivery, handler.logger = route, make_delivery, logger
    handler.challenge = challenges(user_needs(endpoint).schemes or [BEARER])
    posed = msgspec.structs.replace(signature, returns=ServerSentEvent) if spec.has_events else signature
    handler(_make_function(posed, names, hints))
    return handler


def _after(check: Encode, encode: Encode) -> Encode:
    return lambda result: encode(check(result))


def _refuse_unknown_options(spec: RouteSpec) -> None:
    problems: list[WiringProblem] = find_undocumented(spec)
    for name in spec.options.keys() - _OPTIONS:
        known = [*_OPTIONS, "methods", "status_code"]
        remedy = did_you_mean(name, known, "put values of your own into opt={...}")
        problems.append(spec.problem(f"a route has no option {name!r}", remedy, code="unknown-option"))
    if problems:
        raise WiringError(*problems)


def _options(route: HttpRoute, *, has_input: bool) -> dict[str, Any]:
    """The user's options, and the documentation from the function."""
    spec, signature = route.spec, route.endpoint.signature
    summary, description = spec.documentation
    given = cast("dict[str, Any]", dict(spec.options))
    return {
        "summary": summary,
        "description": description or None,
        "tags": [spec.blueprint] if spec.blueprint else None,
        **given,
        "raises": None,  # Litestar knows only its own errors, and documents them in a form that no client gets
        "responses": {
            **({200: documented_events(signature.returns)} if spec.has_events else {}),
            **(INVALID_INPUT if has_input else {}),
            **documented_errors(spec),
            **(given.get("responses") or {}),
        },
        "exception_handlers": unhidden(given.get("exception_handlers")),
    }


def _responding(delivery: Delivery[object]) -> Respond:
    contexts = [parameter.name for parameter in delivery.endpoint.signature.left if is_context(parameter)]

    def respond(scope: Scope, values: dict[str, object]) -> Awaitable[object]:
        headers = scope["headers"]
        given = [value for name, value in headers if name == TIMEOUT]
        seconds = read_timeout(given) if given else None
        deadline = None if seconds is None else time.monotonic() + seconds
        incoming = delivery.incoming(request_id(scope), None, scope, deadline, headers, keywords=values)
        for name in contexts:
            values[name] = incoming.context
        return (delivery.handle if seconds is None else delivery.waited_for(seconds))(incoming)

    return respond


def _make_function(signature: Signature, names: Collection[str], hints: Mapping[str, Any]) -> _Function:
    """The function that Litestar calls with the arguments."""
    files = [p.name for p in signature.left if p.name in names and is_file(p.annotation)]
    keeps_request = "request" in hints

    async def handle(**values: object) -> object:
        request = cast("AnyRequest", values["request"] if keeps_request else values.pop("request"))
        handler = cast("RouteHandler", request.route_handler)
        if handler.takes_json:
            is_typed = refuse_other_types(request.scope["headers"])
            if not is_typed and await request.body():
                raise no_json("without it")
        for name in files:
            values[name] = _relative(cast("PurePath", values[name]))
        return await handler.respond(request.scope, values)

    _pose_as(handle, signature, {"request": Request, **hints})
    return handle


def _relative(path: PurePath) -> PurePath:
    """The rest of a URL as a relative path, so that it stays below its base; Litestar adds a leading slash."""
    if ".." in path.parts:
        raise NotFound("There is no such path")
    return path.relative_to(path.anchor)


def _pose_as(function: _Function, signature: Signature, hints: Mapping[str, Any]) -> None:
    """Give a function, for Litestar, the signature of a handler's left side."""
    empty = inspect.Parameter.empty
    defaults = {p.name: empty if p.default is MISSING else p.default for p in signature.left}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name, empty), annotation=hint)
        for name, hint in hints.items()
    ]
    function.__annotations__ = {**hints, "return": signature.returns}
    function.__dict__["__signature__"] = inspect.Signature(parameters, return_annotation=signature.returns)
    function.__name__ = signature.name
    function.__qualname__ = signature.function.__qualname__
    if signature.function.__module__ in sys.modules:  # where Litestar looks up names
        function.__module__ = signature.function.__module__
