"""Clients of server-sent events that come back: the id of their last event becomes a field of the payload."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from daebus.core.context import Context, current_context
from daebus.declare.decorated import payload_parameters
from daebus.declare.options import wrong_resumption
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import RouteSpec
from daebus.errors import WiringProblem
from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import did_you_mean
from daebus.payloads.mistakes import Mistake, Mistakes
from daebus.payloads.texts import is_text

from .fields import PayloadField, fields_of
from .inputs import Inputs, Make, wire_name

__all__ = ["LAST_EVENT_ID", "check_events", "resuming"]

LAST_EVENT_ID = "last-event-id"
"""The header of a client that comes back: the id of the last event that it has got."""


def check_events(spec: RouteSpec, signature: Signature, inputs: Inputs) -> Iterator[WiringProblem]:
    """The mistakes in the names of the fields with the ids of events."""
    door = f"{spec.methods[0]} {spec.path}"
    for option, field in (("event_id", spec.event_id), ("resume", spec.resume)):
        if field is not None and (wrong := wrong_resumption(option, field, door)) is not None:
            yield spec.problem(*wrong, code="wrong-option")
            return
    if spec.event_id is not None and not _is_union(signature.returns):
        items = fields_of(signature.returns) or ()
        yield from _check_field(spec, "event_id", spec.event_id, items, show_type(signature.returns))
    if spec.resume is None:
        return
    if spec.event_id is None:
        found = f"resume={spec.resume!r}, and clients have no id to come back with, as the events have none"
        yield spec.problem(found, 'name the field of the items that is their id: event_id="id"', code="wrong-option")
    yield from _check_field(spec, "resume", spec.resume, inputs.in_query, "query of the request")
    given = next((field for field in inputs.in_query if field.wire == spec.resume), None)
    if given is not None and given.default is MISSING:
        found = f"resume={spec.resume!r}, a field that a client which comes for the first time would have to give"
        payload = next(iter(payload_parameters(signature)), None)
        has_fields = payload is not None and fields_of(payload.annotation) is not None
        where = "give the field a default" if has_fields else "take a struct with a field that has a default"
        yield spec.problem(found, f"{where}: {given.name}: str | None = None", code="wrong-option")


def _is_union(kind: object) -> bool:
    """Whether items are of one of several types, which may have the field or not; an item without it has no id."""
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _check_field(
    spec: RouteSpec, option: str, name: str, fields: Sequence[PayloadField], owner: str
) -> Iterator[WiringProblem]:
    known = [field.wire for field in fields]
    found = next((field for field in fields if field.wire == name), None)
    if found is None:
        has = f"it has {', '.join(known)}" if known else "it has no fields"
        remedy = did_you_mean(name, known, has)
        yield spec.problem(f"{option}={name!r}, but the {owner} has no such field", remedy, code="wrong-option")
    elif not is_text(found.annotation):
        shown = show_type(found.annotation)
        yield spec.problem(f"{option}={name!r} is a {shown}, and an id is text", "make it a str", code="wrong-option")


def resuming(make: Make, inputs: Inputs, field: str) -> Make:
    """A function that makes the payload with the id of the last event of the client, if it has one.

    Args:
        make: Makes the payload.
        inputs: What a request has to have.
        field: The field for the id.
    """
    parameter = next(one for one in inputs.parameters if wire_name(one) == field)

    def resumed(values: Mapping[str, object]) -> object:
        context: Context | None = current_context.get()
        last = None if context is None else context.headers.get(LAST_EVENT_ID)
        return make({**values, parameter.name: _read(last, parameter.annotation)} if last else values)

    return resumed


def _read(last: str, kind: object) -> object:
    try:
        return msgspec.convert(last, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Mistakes([Mistake("header", LAST_EVENT_ID, str(error))]).as_error() from error
