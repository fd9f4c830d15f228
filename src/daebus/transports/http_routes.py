"""One route as a handler of Litestar's: what stands left of the ``*`` is its signature, `dispatch` is its body."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import NoneType
from typing import Any, cast

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from daebus.core.context import Context
from daebus.core.errors import NotFound, WiringError, WiringProblem
from daebus.core.handlers import is_context
from daebus.core.signatures import MISSING, Signature
from daebus.core.specs import RouteSpec
from daebus.wiring.dispatch import dispatch
from daebus.wiring.endpoints import Endpoint, Incoming

from .http_answers import Answer
from .http_parameters import litestar_annotations
from .paths import is_file, litestar_path, path_parameters
from .problems import ENDPOINT, PROBLEM, AnyRequest, Problem, request_id, unhidden

__all__ = ["HttpRoute", "RouteFunction", "make_handler"]

RouteFunction = Callable[..., Coroutine[Any, Any, object]]

_SET_BY_ROUTE = {"path", "http_method", "status_code", "sync_to_thread", "kwargs"}
_OPTIONS = frozenset(inspect.signature(HTTPRouteHandler).parameters) - _SET_BY_ROUTE


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """A recorded route and its endpoint, which need not encode what the handler returns."""

    spec: RouteSpec
    endpoint: Endpoint[object]


def make_handler(
    route: HttpRoute, service: str, answer: Answer, provided: Collection[str]
) -> tuple[HTTPRouteHandler, RouteFunction]:
    """A route as Litestar registers it, and the function that it calls.

    Args:
        route: The route.
        service: The name of the service.
        answer: Encodes what the handler returns.
        provided: The parameters that the ``dependencies`` of the whole Litestar app fill.

    Raises:
        WiringError: An option is none of Litestar's, or a parameter cannot be expressed in Litestar.
    """
    spec, endpoint = route.spec, replace(route.endpoint, encode=answer)
    _refuse_unknown_options(spec)
    signature = endpoint.signature
    dependencies = cast("Mapping[str, object]", spec.options.get("dependencies") or {})
    names = path_parameters(spec.path)
    hints = litestar_annotations(signature, names, {*provided, *dependencies})
    function = _make_function(endpoint, service, names, hints)
    handler = HTTPRouteHandler(
        litestar_path(spec.path, signature),
        http_method=cast("Any", list(spec.methods)),  # checked before; Litestar's type is a union of literals
        status_code=spec.status_code or (204 if signature.returns is NoneType else 200),
        **_options(spec, endpoint, has_input=bool(hints)),
    )
    return handler(function), function


def _refuse_unknown_options(spec: RouteSpec) -> None:
    problems: list[WiringProblem] = []
    for name in spec.options.keys() - _OPTIONS:
        close = difflib.get_close_matches(name, [*_OPTIONS, "methods", "status_code"], n=1)
        remedy = f"did you mean {close[0]!r}?" if close else "put values of your own into opt={...}"
        problems.append(spec.problem(f"a route has no option {name!r}", remedy, code="unknown-option"))
    if problems:
        raise WiringError(*problems)


def _options(spec: RouteSpec, endpoint: Endpoint[object], *, has_input: bool) -> dict[str, Any]:
    """The user's options, and what the documentation can know from the function."""
    summary, _, description = (inspect.getdoc(spec.function) or "").partition("\n")
    given = cast("dict[str, Any]", dict(spec.options))
    documented = {400: ResponseSpec(Problem, generate_examples=False, description="Invalid input", media_type=PROBLEM)}
    return {
        "summary": summary or endpoint.signature.name.replace("_", " ").capitalize(),
        "description": description.strip() or None,
        **given,
        "responses": {**(documented if has_input else {}), **(given.get("responses") or {})},
        "opt": {**(given.get("opt") or {}), ENDPOINT: endpoint},
        "exception_handlers": unhidden(given.get("exception_handlers")),
    }


def _make_function(
    endpoint: Endpoint[object], service: str, names: Collection[str], hints: Mapping[str, Any]
) -> RouteFunction:
    signature, title = endpoint.signature, endpoint.title
    contexts = [parameter.name for parameter in signature.left if is_context(parameter)]
    files = [p.name for p in signature.left if p.name in names and is_file(p.annotation)]
    keeps_request = "request" in hints

    async def handle(**values: object) -> object:
        request = cast("AnyRequest", values["request"] if keeps_request else values.pop("request"))
        context = Context(request_id=request_id(request.scope), service=service, handler=title)
        for name in contexts:
            values[name] = context
        for name in files:
            values[name] = _relative(cast("PurePath", values[name]))
        return await dispatch(endpoint, Incoming(context, keywords=values))

    _pose_as(handle, signature, {"request": Request, **hints})
    return handle


def _relative(path: PurePath) -> PurePath:
    """The rest of a URL as a path that stays below whatever it is joined to; Litestar gives it a leading slash."""
    if ".." in path.parts:
        raise NotFound("There is no such path")
    return path.relative_to(path.anchor)


def _pose_as(function: RouteFunction, signature: Signature, hints: Mapping[str, Any]) -> None:
    """Let a function look, to Litestar, as the left side of a handler."""
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
