"""The mistakes of doors: of their paths, and of payloads that no request can have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daebus.declare.decorated import payload_parameters
from daebus.declare.paths import RESERVED, malformed_path, path_parameters, wrong_method, wrong_status
from daebus.declare.signatures import Signature
from daebus.declare.specs import RouteSpec, Spec
from daebus.errors import WiringProblem
from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import closest
from daebus.payloads.texts import is_text, is_text_or_texts

from .inputs import Inputs
from .resuming import check_events

__all__ = ["check_door"]

_IN_PATH = "a str, int, float, bool, an Enum, a Literal, UUID, Decimal, a date or time"


def check_door(spec: Spec, signature: Signature, inputs: Inputs | None) -> Sequence[WiringProblem]:
    """All mistakes of a door.

    Args:
        spec: The door.
        signature: The signature of the handler of the action.
        inputs: What a request has to have; None: the payload comes as JSON.
    """
    problems = list(_check_streams(spec, signature))
    if isinstance(spec, RouteSpec) and inputs is not None:
        malformed = malformed_path(spec.path)
        if malformed is not None:
            return [*problems, spec.problem(*malformed, code="malformed-path")]
        problems += [
            *_check_answer(spec, signature),
            *_check_path(spec, signature, inputs),
            *_check_texts(spec, inputs),
            *check_events(spec, signature, inputs),
        ]
    return problems


def _check_streams(spec: Spec, signature: Signature) -> Iterator[WiringProblem]:
    if not isinstance(spec, RouteSpec):
        return
    if signature.streams and not spec.has_events:
        found = "the action streams its replies, and this door has one answer for each request"
        remedy = 'open it as server-sent events: sse="GET /the/path", or as messages of a WebSocket: socket="type"'
        yield spec.problem(found, remedy, code="unexpected-stream")
    elif spec.has_events and not signature.streams:
        found = "server-sent events are for actions that stream their replies, and this one has a single reply"
        yield spec.problem(found, 'open it as a route: http="GET /the/path"', code="not-a-stream")


def _check_answer(spec: RouteSpec, signature: Signature) -> Iterator[WiringProblem]:
    wrong = wrong_method(spec.methods[0])
    if wrong is not None:
        yield spec.problem(*wrong, code="wrong-method")
    wrong = None if spec.status_code is None else wrong_status(spec.status_code, signature.returns)
    if wrong is not None:
        yield spec.problem(*wrong, code="wrong-status")


def _check_path(spec: RouteSpec, signature: Signature, inputs: Inputs) -> Iterator[WiringProblem]:
    known = {field.wire for field in inputs.in_path}
    others = [name for name in inputs.names if name not in known]
    payload = next(iter(payload_parameters(signature)), None)
    for name in path_parameters(spec.path):
        if name in RESERVED:
            found = f"the path has <{name}>, a name that has a special meaning in Litestar"
            yield spec.problem(
                found, "remove it: the field then comes from the query or the body", code="reserved-name"
            )
        if name in known or name in RESERVED:
            continue
        if payload is None:
            found = f"the path has <{name}>, but the action takes no payload"
            yield spec.problem(found, f"remove <{name}>, or take a payload with it", code="path-mismatch")
            continue
        found = f"the path has <{name}>, but the payload {show_type(payload.annotation)} has no field {name!r}"
        close = closest(name, others)
        remedy = f"add the field {name!r} to it, or correct the path" if close is None else f"did you mean <{close}>?"
        yield spec.problem(found, remedy, code="path-mismatch")


def _check_texts(spec: RouteSpec, inputs: Inputs) -> Iterator[WiringProblem]:
    for field in inputs.in_path:
        if not is_text(field.annotation):
            shown = show_type(field.annotation)
            found = f"the path has <{field.wire}>, which is text, and a {shown} cannot be read from it"
            yield spec.problem(found, f"make the field {_IN_PATH}", code="wrong-path-type")
    for field in inputs.in_query:
        if not is_text_or_texts(field.annotation):
            method, shown = spec.methods[0], show_type(field.annotation)
            found = f"a {method} request has no body, and {field.wire!r}, a {shown}, cannot be read from a query string"
            yield spec.problem(found, f'use a method with a body: "POST {spec.path}"', code="not-in-query")
