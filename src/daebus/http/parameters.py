"""The parameters of a route: their annotations for Litestar, each with a marker, and where their values are."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

import msgspec
from litestar.di import Dependency
from litestar.params import BodyKwarg, DependencyKwarg, KwargDefinition, PathParameter, QueryParameter

from daebus.declare.decorated import is_context
from daebus.declare.paths import RESERVED, is_file
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.doors.inputs import WireName, wire_name
from daebus.errors import WiringError

__all__ = ["Argument", "is_plain", "litestar_annotations", "read_argument"]

_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "title", "description")
_ITEMS = {"min_length": "min_items", "max_length": "max_items"}

# As a value, for annotations that are only known at run time.
_annotated = cast("Mapping[object, Any]", typing.Annotated)


class Argument(NamedTuple):
    """An argument of a handler that is read from a request.

    Attributes:
        name: The name of the handler's parameter.
        wire: Its name in the request.
        place: Where it is: ``path``, ``query`` or ``body``.
        kind: The type.
        default: Its value if a request does not have it; `MISSING`: it is required.
    """

    name: str
    wire: str
    place: str
    kind: Any
    default: object

    @property
    def as_field(self) -> tuple[str, Any] | tuple[str, Any, Any]:
        """The field of a struct that is decoded from a request."""
        name, _, _, kind, default = self
        if default is MISSING:
            return name, kind
        return name, kind, default


def read_argument(parameter: Parameter, path_names: Collection[str]) -> Argument:
    """Where the value of a plain parameter is in a request."""
    name, wire, default = parameter.name, wire_name(parameter), parameter.default
    place = "path" if wire in path_names else "body" if name == "data" else "query"
    # As in Litestar: an omitted optional argument is None.
    if default is MISSING and place != "path" and _may_be_none(parameter.annotation):
        default = None
    return Argument(name, wire, place, parameter.annotation, default)


def _may_be_none(kind: Any) -> bool:
    if kind is object:
        return False
    try:
        msgspec.convert(None, kind)
    except msgspec.ValidationError:
        return False
    return True


def is_plain(parameter: Parameter) -> bool:
    """Whether a parameter has no Litestar marker and is not a file."""
    annotation, marker = parameter.annotation, type(parameter.default).__module__
    metadata = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    return (
        all(isinstance(part, msgspec.Meta | WireName) for part in metadata)
        and not is_file(annotation)
        and not marker.startswith("litestar.")
    )


def litestar_annotations(
    signature: Signature, path_names: Collection[str], provided: Collection[str]
) -> dict[str, Any]:
    """The annotations of the parameters left of the ``*``, without the `Context`, by name.

    Litestar deprecates parameters without a marker, and drops a ``msgspec.Meta``: the markers take over its bounds.

    Args:
        signature: The signature of the handler.
        path_names: The parameters that are in the path.
        provided: The names that Litestar's own ``dependencies`` fill.

    Raises:
        WiringError: A ``msgspec.Meta`` is in a place where Litestar cannot check it.
    """
    annotations: dict[str, Any] = {}
    for parameter in signature.left:
        name = parameter.name
        if is_context(parameter):
            continue
        if name in provided or (name in RESERVED and name != "data"):
            annotations[name] = parameter.annotation
        else:
            kind = (
                BodyKwarg if name == "data" else PathParameter if wire_name(parameter) in path_names else QueryParameter
            )
            annotations[name] = _marked(signature, parameter, kind)
    return annotations


def _marked(signature: Signature, parameter: Parameter, kind: type[KwargDefinition]) -> Any:
    bare, metadata = _split(parameter.annotation)
    own = next((part for part in metadata if isinstance(part, KwargDefinition)), None)
    others = tuple(part for part in metadata if not isinstance(part, msgspec.Meta | KwargDefinition | WireName))
    is_legacy = isinstance(parameter.default, KwargDefinition | DependencyKwarg)
    if is_legacy or any(isinstance(part, Dependency | DependencyKwarg) for part in others):
        return parameter.annotation
    bounds = _bounds(signature, parameter)
    if wire_name(parameter) != parameter.name:
        bounds["name"] = wire_name(parameter)
    marker = kind(**bounds) if own is None else replace(own, **bounds)
    return _annotated[(bare, *others, marker)]


def _split(annotation: object) -> tuple[object, tuple[object, ...]]:
    if typing.get_origin(annotation) is typing.Annotated:
        bare, *metadata = typing.get_args(annotation)
        return bare, tuple(metadata)
    return annotation, ()


def _bounds(signature: Signature, parameter: Parameter) -> dict[str, Any]:
    """The bounds in the ``msgspec.Meta`` of a parameter (also an optional one), as arguments of Litestar."""
    bare, metadata = _split(parameter.annotation)
    metas = [part for part in metadata if isinstance(part, msgspec.Meta)]
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(bare) if member is not types.NoneType]
        inner = [part for member in members for part in _split(member)[1] if isinstance(part, msgspec.Meta)]
        if inner and len(members) > 1:
            raise _unchecked(signature, parameter, "bounds of one of several types")
        if inner:
            bare = _split(members[0])[0]
            metas += inner
    bounds: dict[str, Any] = {}
    for meta in metas:
        if meta.tz is not None:
            raise _unchecked(signature, parameter, "the bound `tz`")
        bounds.update({name: value for name in _BOUNDS if (value := getattr(meta, name)) is not None})
        for length, items in _ITEMS.items():
            if (value := getattr(meta, length)) is not None:
                bounds[items if _is_container(bare) else length] = value
    return bounds


def _is_container(bare: object) -> bool:
    origin = typing.get_origin(bare) or bare
    return isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, str | bytes)


def _unchecked(signature: Signature, parameter: Parameter, what: str) -> WiringError:
    return WiringError(
        signature.problem(
            parameter,
            f"Litestar does not check {what} of a parameter",
            "check it in the handler, or in a struct as `data`",
            code="unchecked-bound",
        )
    )
