"""Checks of an app as a whole before it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast

from dependency_injector import providers

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.bus.forwarding import Forwarding
from daebus.core.stopping import Stopping
from daebus.declare.decorated import is_context
from daebus.declare.options import stray_in
from daebus.declare.paths import RESERVED, path_parameters
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.declare.specs import ActionSpec, JoinSpec, RouteSpec, SocketSpec, Spec
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.interceptors import Interceptors
from daebus.errors import WiringError
from daebus.http.checks import belongs_in_body
from daebus.http.forms import find_unreadable, is_form_with_files, is_upload
from daebus.mistakes.places import CallSite, made_at
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.payloads.codec import UnsupportedTypeError, require_json_type
from daebus.protocol.rooms import JOIN, LEAVE, RESUME
from daebus.telemetry.logs import make_logger
from daebus.wiring.container_checks import check_container, find_unfilled, find_unknown_overrides
from daebus.wiring.overrides import find_wrong_overrides
from daebus.wiring.provider_arguments import find_wrong_arguments

from .container import ServiceContainer
from .kinds import kind_of

__all__ = [
    "Attached",
    "ServiceName",
    "find_foreign",
    "find_in_container",
    "find_misnamed",
    "find_unattached",
    "find_uncomposable",
    "find_undecodable",
]


class Attached(NamedTuple):
    """The components of an app, and where they were attached."""

    http: DaebusHttp | None
    websocket: DaebusWebSocket | None
    sites: Mapping[type, CallSite]


class ServiceName(NamedTuple):
    """The name under which an app is served.

    Attributes:
        name: The name.
        is_given: Whether the name was given explicitly; else it is the name of the app.
        place: Where the app was created.
    """

    name: str
    is_given: bool
    place: str


def find_unattached(specs: Sequence[Spec], attached: Attached) -> Iterator[WiringProblem]:
    """Handlers whose component is not attached, and components that need one that is not attached."""
    routes = [spec for spec in specs if kind_of(spec).needs is DaebusHttp]
    sockets = [spec for spec in specs if kind_of(spec).needs is DaebusWebSocket]
    if attached.http is None:
        yield from _unserved(routes, "HTTP", "app.attach(DaebusHttp(port=8080))")
    if attached.websocket is None:
        yield from _unserved(sockets, "WebSocket", "app.attach(DaebusWebSocket())")
    elif attached.http is not None and attached.websocket.port == attached.http.port != 0:
        found = "it has the same port as DaebusHttp"
        remedy = "leave out its port: without a port, it is served on the port of DaebusHttp"
        place = attached.sites[DaebusWebSocket].place
        yield WiringProblem(place, f"DaebusWebSocket(port={attached.http.port})", found, remedy, code="wrong-option")
    elif attached.websocket.port is None and attached.http is None:
        yield WiringProblem(
            attached.sites[DaebusWebSocket].place,
            "DaebusWebSocket()",
            "it has no port of its own, and no DaebusHttp is attached",
            "call app.attach(DaebusHttp(port=8080)), or give DaebusWebSocket a port",
            code="not-attached",
        )


def _unserved(specs: Sequence[Spec], what: str, remedy: str) -> Iterator[WiringProblem]:
    for spec in specs[:1]:
        others = len(specs) - 1
        same = f"the same applies to {others} others" if others > 1 else "the same applies to this one"
        notes = [Note(same, specs[1].place)] if others else []
        found, remedy = f"the app has no {what} to serve it", f"call {remedy} before the start"
        yield spec.problem(found, remedy, code="not-attached", notes=notes)


def _find_taken_types(specs: Sequence[Spec]) -> Iterator[WiringProblem]:
    """Handlers of messages that clients send about rooms, in an app with rooms."""
    join = next((spec for spec in specs if isinstance(spec, JoinSpec)), None)
    for spec in specs:
        if join is not None and isinstance(spec, SocketSpec) and spec.type in (JOIN, LEAVE, RESUME):
            found = f"the app has rooms, whose clients send {spec.type!r} to join, leave or resume them"
            notes = [Note("the join handler", join.place)]
            yield spec.problem(found, "give the message another name", code="reserved-name", notes=notes)


def find_foreign(specs: Sequence[Spec], service: ServiceName) -> Iterator[WiringProblem]:
    """Actions whose contract belongs to another service."""
    foreign = [
        (spec, contract)
        for spec in specs
        if isinstance(spec, ActionSpec)
        and (contract := spec.contract) is not None
        and contract.service not in (None, service.name)
    ]
    owners = {contract.service for _, contract in foreign}
    belonging = [spec for spec in specs if isinstance(spec, ActionSpec) and spec.contract and spec.contract.service]
    if len(owners) == 1 and len(foreign) == len(belonging) and not service.is_given:
        yield _not_named(service, str(next(iter(owners))), foreign[0][0], len(foreign))
        return
    for spec, contract in foreign:
        yield spec.problem(
            f"its contract belongs to the service {contract.service!r}, but this service is {service.name!r}",
            "move the handler to that service, or correct service= of the contract",
            code="foreign-contract",
            notes=[Note("the contract", place) for place in [made_at(contract)] if place],
        )


def find_misnamed(service: ServiceName, specs: Sequence[Spec]) -> Iterator[WiringProblem]:
    """Names that are not valid: that of the service, or of a message; a missing one is reported elsewhere."""
    yield from _find_taken_types(specs)
    found = stray_in(service.name, colons=False) if service.name else None
    if found is not None:
        remedy = "write it as one word, such as 'user_service' or 'user-service'"
        yield WiringProblem(service.place, f"Daebus({service.name!r})", found, remedy, code="wrong-name")


def _not_named(service: ServiceName, owner: str, example: ActionSpec, count: int) -> WiringProblem:
    contracts = "the contract of its action belongs" if count == 1 else f"the contracts of its {count} actions belong"
    return WiringProblem(
        service.place,
        f"Daebus({service.name!r})",
        f"{contracts} to the service {owner!r}, and the name of this service is not set",
        f'run it with --service {owner}, call app.run(service="{owner}"), or write Daebus(..., service="{owner}")',
        code="service-not-named",
        notes=[Note(f"such as {example.title}", example.place)],
    )


def find_undecodable(routes: Sequence[tuple[RouteSpec, Signature]], http: DaebusHttp | None) -> Iterator[WiringProblem]:
    """Parameters left of the ``*`` of a route that cannot be decoded from any request.

    Litestar would accept any type and answer every request with 400. Types for which the user has configured decoders
    are not checked.
    """
    options: Mapping[str, object] = {} if http is None else http.litestar
    if options.get("plugins") or options.get("type_decoders"):
        return
    provided = cast("Mapping[str, object]", options.get("dependencies") or {})
    for spec, signature in routes:
        if any(spec.options.get(name) for name in ("type_decoders", "dto")):
            continue
        own = cast("Mapping[str, object]", spec.options.get("dependencies") or {})
        known = {*provided, *own, *path_parameters(spec.path), *(RESERVED - {"data"})}
        for parameter in signature.left:
            if parameter.name in known or is_context(parameter) or parameter.annotation is MISSING:
                continue
            unreadable = find_unreadable(parameter) if parameter.name == "data" else None
            if unreadable is not None:
                yield signature.problem(parameter, *unreadable, code="undecodable")
            elif not is_form_with_files(parameter) and not _is_known_to_litestar(parameter):
                yield from _check_parameter(spec, signature, parameter)


def _check_parameter(spec: RouteSpec, signature: Signature, parameter: Parameter) -> Iterator[WiringProblem]:
    try:
        require_json_type(parameter.annotation, is_upload)  # a misplaced file is reported earlier
    except UnsupportedTypeError as error:
        found = f"it cannot be decoded from a request: {error}"
        remedy = f"use a type that msgspec supports, or put a bare * before {parameter.name!r} if it is a service"
        yield signature.problem(parameter, found, remedy, code="undecodable")
        return
    if parameter.name != "data" and belongs_in_body(parameter.annotation):
        found = "it is a query parameter, and a query string cannot hold a value of this type"
        remedy = "take each of its fields as a parameter"
        if {"POST", "PUT", "PATCH"}.issuperset(spec.methods):
            remedy = "name it `data` to take it from the body"
        yield signature.problem(parameter, found, remedy, code="not-in-query")


def _is_known_to_litestar(parameter: Parameter) -> bool:
    """Whether Litestar, or a plugin that it loads by default, fills a parameter itself."""
    annotation = parameter.annotation
    parts = [annotation, *getattr(annotation, "__args__", ())]
    is_marked = "litestar" in repr(annotation) or "litestar" in repr(type(parameter.default))
    return is_marked or any(hasattr(part, "__pydantic_core_schema__") for part in parts)


def find_in_container(
    container: ServiceContainer, needed: Sequence[tuple[str, providers.Provider[object]]]
) -> list[WiringProblem]:
    """The mistakes in the container now; it may have been overridden since the app was created."""
    problems = [*find_unknown_overrides(container), *find_wrong_overrides(container)]
    try:
        check_container(container, ServiceContainer)
    except WiringError as error:
        return [*problems, *error.problems]
    problems += find_unfilled(container, ServiceContainer, needed)
    return [*problems, *find_wrong_arguments(container, [provider for _, provider in needed])]


def find_uncomposable(endpoints: Iterable[Endpoint[object]], outgoing: Interceptors) -> Iterator[WiringProblem]:
    """Interceptors that fail when they are called, as at the start of the service; each is reported once.

    Args:
        endpoints: The handlers, with the interceptors of their messages.
        outgoing: The interceptors of what the service sends.
    """
    logger, stopping, told = make_logger(), Stopping(), set[str]()
    composing: list[Callable[[], object]] = [partial(Delivery, each, "", stopping, logger) for each in endpoints]
    composing.append(partial(Forwarding, outgoing))
    for compose in composing:
        try:
            compose()
        except WiringError as error:
            yield from (problem for problem in error.problems if problem.where not in told)
            told.update(problem.where for problem in error.problems)
