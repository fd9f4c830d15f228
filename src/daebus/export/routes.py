"""The HTTP routes of an app, as its clients see them: what is in the path, the query string and the body."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, Literal, NamedTuple, Protocol, cast

import msgspec
from litestar.params import BodyKwarg
from msgspec import inspect as shapes

from daebus.asgi.settings import DaebusHttp
from daebus.declare.decorated import is_context, payload_parameters
from daebus.declare.paths import BODILESS, RESERVED, is_file, path_parameters
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.declare.specs import ActionSpec, RouteSpec
from daebus.delivery.endpoint import Endpoint
from daebus.doors.fields import fields_of
from daebus.errors import ServiceError
from daebus.http.parameters import Argument, is_plain, read_argument
from daebus.payloads.codec import is_json_type

from .contracts import About, Described, read_about

__all__ = ["DescribedWithRoutes", "RouteContract", "RouteInput", "declared_errors", "inputs_of", "routes_of"]

AnswerForm = Literal["json", "text", "response"]
BodyForm = Literal["whole", "rest", "data", "raw"]


class RouteInput(msgspec.Struct, frozen=True):
    """What a client gives for a request.

    Attributes:
        payload: The type of the input as a whole; `MISSING`: it is the arguments.
        arguments: The parts of the input, if it is no payload.
        single: The name under which a payload that is no object is in the path or in the query string.
        query: The names in the query string.
        body: What the body is: the input as a ``whole``, the ``rest`` of it that is not elsewhere, the argument
            ``data``, or the same without a type (``raw``); None: there is none.
    """

    payload: object = MISSING
    arguments: Sequence[Argument] = ()
    single: str | None = None
    query: Sequence[str] = ()
    body: BodyForm | None = None


class RouteContract(msgspec.Struct, frozen=True):
    """A route, or a door to an action.

    Attributes:
        name: The name of its function, or of its action; with the method, if that is not the first one of the route.
        method: The HTTP method.
        path: The path, with names in angle brackets.
        files: The names in the path that take the rest of it, with slashes.
        input: What a client gives for a request.
        gives: The type of the answer, or of each item of a stream; ``NoneType``: none.
        answer: The form of the answer: ``json``, ``text``, or a ``response`` of another type.
        streams: Whether the answer is server-sent events.
        resumes: Whether a stream goes on after the last event that the client has.
        errors: The errors that it declares.
        about: The handler.
    """

    name: str
    method: str
    path: str
    files: Sequence[str]
    input: RouteInput
    gives: object
    answer: AnswerForm
    streams: bool
    resumes: bool
    errors: Sequence[type[ServiceError]]
    about: About


class DescribedWithRoutes(Described, Protocol):
    """The parts of an app of which its routes are made."""

    @property
    def http(self) -> DaebusHttp | None:
        """Its HTTP settings; None: it has no HTTP."""
        ...


class _Plan(NamedTuple):
    """A route, with the path at which clients find it."""

    spec: RouteSpec
    endpoint: Endpoint[object]
    path: str
    method: str


def routes_of(made: DescribedWithRoutes) -> Sequence[RouteContract]:
    """The routes of an app, in the order of registration; one with several methods is several, without HEAD."""
    prefix = "" if made.http is None else str(made.http.litestar.get("path") or "").rstrip("/")
    plans = [
        _Plan(spec, endpoint, f"{prefix}{spec.path}".rstrip("/") or "/", method)
        for spec, endpoint in made.plans.compiled()
        if isinstance(spec, RouteSpec)
        for method in spec.methods
        if method != "HEAD" or len(spec.methods) == 1
    ]
    return [_route(plan) if plan.spec.opens is None else _door(plan, plan.spec.opens) for plan in plans]


def _route(plan: _Plan) -> RouteContract:
    """A route with a handler of its own: its input has the parameters of the handler."""
    spec, signature = plan.spec, plan.endpoint.signature
    names = path_parameters(spec.path)
    taken = inputs_of(signature)
    read = [read_argument(parameter, names) for parameter in taken if parameter.name != "data" and _is_sent(parameter)]
    data = next((parameter for parameter in taken if parameter.name == "data"), None)
    typed = data is not None and _is_json_body(data)
    if data is not None and typed:
        read.append(read_argument(data, names))
    gives = NoneType if signature.returns is MISSING else signature.returns
    body: BodyForm | None = None if data is None else "data" if typed else "raw"
    given = RouteInput(arguments=read, query=_in_query(read), body=body)
    return _contract(plan, spec.function.__name__, given, gives, _answer_form(spec, gives))


def inputs_of(signature: Signature) -> Sequence[Parameter]:
    """The parameters of a handler that a client gives: those of the path and the query string, and the body."""
    return [
        parameter
        for parameter in signature.left
        if not is_context(parameter) and (parameter.name == "data" or parameter.name not in RESERVED)
    ]


def _in_query(arguments: Sequence[Argument]) -> Sequence[str]:
    return [one.wire for one in arguments if one.place == "query"]


def _is_sent(parameter: Parameter) -> bool:
    """Whether a parameter is in the path or in the query string, as one that msgspec reads."""
    return is_file(parameter.annotation) or (is_plain(parameter) and is_json_type(parameter.annotation))


def _is_json_body(parameter: Parameter) -> bool:
    metadata = getattr(parameter.annotation, "__metadata__", ())
    marked = any(isinstance(one, BodyKwarg) for one in (*metadata, parameter.default))
    return not marked and is_json_type(parameter.annotation)


def _answer_form(spec: RouteSpec, gives: object) -> AnswerForm:
    media_type = spec.options.get("media_type")
    text = str(getattr(media_type, "value", media_type))
    if media_type is not None and not text.partition(";")[0].endswith("json"):
        return "text" if gives is str else "response"
    if gives is str:
        return "json" if media_type is not None else "text"
    return "json" if gives is not bytes and is_json_type(gives) else "response"


def _door(plan: _Plan, action: ActionSpec) -> RouteContract:
    """A door to an action: its input is the payload."""
    signature = plan.endpoint.signature
    payload = next(iter(payload_parameters(action.read_signature())), None)
    takes: object = MISSING if payload is None else payload.annotation
    gives: object = NoneType if signature.returns is MISSING else signature.returns
    if action.contract is not None:
        takes, gives = action.contract.types
    given = RouteInput() if payload is None else _payload_input(plan, payload.name, takes)
    return _contract(plan, action.name, given, gives)


def _payload_input(plan: _Plan, name: str, kind: object) -> RouteInput:
    """The input of a door: the payload, which is in parts where it is not the body."""
    in_path = path_parameters(plan.spec.path)
    if plan.method not in BODILESS and not in_path:
        return RouteInput(kind, body="whole")
    arguments = [read_argument(one, in_path) for one in plan.endpoint.signature.left if not is_context(one)]
    query, has_body = _in_query(arguments), any(one.place == "body" for one in arguments)
    if fields_of(kind) is None:
        return RouteInput(kind, single=name, query=query)
    if not _is_object(kind):  # an array in JSON, whose fields have names only in the path and in the query string
        return RouteInput(arguments=arguments, query=query, body="data" if has_body else None)
    return RouteInput(kind, query=query, body="rest" if has_body else None)


def _is_object(kind: object) -> bool:
    shape = shapes.type_info(cast("Any", kind))
    return not (isinstance(shape, shapes.NamedTupleType) or getattr(shape, "array_like", False))


def _contract(plan: _Plan, name: str, given: RouteInput, gives: object, answer: AnswerForm = "json") -> RouteContract:
    spec = plan.spec
    names = path_parameters(spec.path)
    return RouteContract(
        name=name if plan.method == spec.methods[0] else f"{name}_{plan.method.lower()}",
        method=plan.method,
        path=plan.path,
        files=[one.name for one in plan.endpoint.signature.left if one.name in names and is_file(one.annotation)],
        input=given,
        gives=gives,
        answer=answer,
        streams=spec.has_events,
        resumes=spec.resume is not None,
        errors=declared_errors(spec),
        about=read_about(spec, plan.endpoint),
    )


def declared_errors(spec: RouteSpec) -> Sequence[type[ServiceError]]:
    """The errors of daebus, and subclasses of them, in the ``raises=`` of a route."""
    raised = cast("Sequence[object]", spec.options.get("raises") or ())
    return [one for one in raised if isinstance(one, type) and issubclass(one, ServiceError)]
