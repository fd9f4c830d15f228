"""What a request has to have for an action: the parameters of the route, and the payload that they make."""

from __future__ import annotations

import keyword
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from daebus.declare.decorated import is_context, payload_parameters
from daebus.declare.paths import BODILESS, RESERVED, path_parameters
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.declare.specs import ActionSpec, RouteSpec
from daebus.payloads.mistakes import PAYLOAD, Mistake, Mistakes

from .fields import PayloadField, body_of, fields_of

__all__ = ["Inputs", "WireName", "read_inputs", "wire_name"]

_BODY = "data"

Make = Callable[[Mapping[str, object]], object]

# As a value, for annotations that are only known at run time.
_annotated = cast("Mapping[object, Any]", typing.Annotated)


class WireName(msgspec.Struct, frozen=True):
    """In an `Annotated`: the name of a value in the request, if the parameter of the route has another one."""

    name: str


def wire_name(parameter: Parameter) -> str:
    """The name of the value of a parameter in the request."""
    metadata = typing.get_args(parameter.annotation)[1:] if _is_annotated(parameter.annotation) else ()
    return next((part.name for part in metadata if isinstance(part, WireName)), parameter.name)


def _is_annotated(annotation: object) -> bool:
    return typing.get_origin(annotation) is typing.Annotated


class Inputs(msgspec.Struct, frozen=True):
    """The inputs of a route that is a door.

    Attributes:
        names: The names of all fields, for mistakes in the path.
        in_path: The fields that are in the path.
        in_query: The fields that are in the query string.
        parameters: The parameters of the route.
        make: Makes the payload from the values of the parameters; None: the action takes none.
    """

    names: Sequence[str]
    in_path: Sequence[PayloadField]
    in_query: Sequence[PayloadField]
    parameters: Sequence[Parameter]
    make: Make | None


def read_inputs(spec: RouteSpec, signature: Signature) -> Inputs:
    """The inputs of a door; fields that the path should have, but the payload has not, are left out.

    Args:
        spec: The door.
        signature: The signature of the handler of the action.
    """
    action = cast("ActionSpec", spec.opens)
    payload = next(iter(payload_parameters(signature)), None)
    if payload is None:
        return Inputs((), (), (), (), None)
    kind: Any = payload.annotation if action.contract is None else action.contract.types[0]
    in_template, has_body = path_parameters(spec.path), spec.methods[0] not in BODILESS
    known = fields_of(kind)
    if known is None:
        return _whole(PayloadField(payload.name, payload.name, kind, MISSING), in_template, has_body=has_body)
    if has_body and not in_template:
        return _whole(PayloadField(payload.name, payload.name, kind, MISSING), in_template, has_body=True)
    in_path = [field for field in known if field.wire in in_template]
    others = [field for field in known if field.wire not in in_template]
    taken = {parameter.name for parameter in signature.left if is_context(parameter)}
    made = [*_named(in_path, taken), *_named(() if has_body else others, taken)]
    parameters = [parameter for _, parameter in made]
    body = body_of(kind, others) if has_body and others else None
    if body is not None:
        parameters.append(Parameter(_BODY, body, MISSING, keyword_only=False))
    filled = [(field.name, parameter.name, parameter.default) for field, parameter in made]
    in_body = [(field.name, field.default) for field in others] if body is not None else []
    in_query = () if has_body else others
    names = [field.wire for field in known]
    return Inputs(names, in_path, in_query, parameters, _making(kind, filled, in_body))


def _whole(field: PayloadField, names: Sequence[str], *, has_body: bool) -> Inputs:
    """The inputs of a payload that is one value: in the path, in the query string, or as the body."""
    if has_body and not names:
        body = Parameter(_BODY, field.annotation, MISSING, keyword_only=False)
        return Inputs((field.wire,), (), (), [body], lambda values: values[_BODY])
    ((_, parameter),) = _named([field], set())
    is_in_path = field.wire in names
    in_path, in_query = ([field], ()) if is_in_path else ((), () if has_body else [field])
    return Inputs((field.wire,), in_path, in_query, [parameter], lambda values: values[parameter.name])


def _named(fields: Sequence[PayloadField], taken: set[str]) -> Iterator[tuple[PayloadField, Parameter]]:
    """A parameter for each field; one whose name Litestar or the handler needs for something else has another one."""
    for number, field in enumerate(fields):
        name, annotation = field.wire, field.annotation
        if not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED or name in taken:
            name, annotation = f"field_{number}_{field.name}", _annotated[annotation, WireName(field.wire)]
        yield field, Parameter(name, annotation, field.default, keyword_only=False)


def _making(kind: Any, filled: Sequence[tuple[str, str, object]], in_body: Sequence[tuple[str, object]]) -> Make:
    make = cast("Callable[..., object]", typing.get_origin(kind) or kind)

    def made(values: Mapping[str, object]) -> object:
        given = {name: value for name, other, default in filled if (value := values[other]) is not default}
        body = values.get(_BODY) if in_body else None
        for name, default in in_body:
            if (value := getattr(body, name)) is not default:
                given[name] = value
        try:
            return make(**given)
        except (TypeError, ValueError) as error:  # the type itself refuses the values, as when it is decoded
            raise Mistakes([Mistake(PAYLOAD, "$", str(error))]).as_error() from error

    return made
