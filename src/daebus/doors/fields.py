"""The fields of a payload type, as a request may give them one by one."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import inspect as shapes

from daebus.declare.signatures import MISSING

__all__ = ["PayloadField", "body_of", "fields_of"]

_OBJECTS = (shapes.DataclassType, shapes.NamedTupleType, shapes.StructType, shapes.TypedDictType)


class PayloadField(msgspec.Struct, frozen=True):
    """A field of a payload type.

    Attributes:
        name: Its name in Python.
        wire: Its name in JSON, in a path and in a query string.
        annotation: Its type.
        default: Its value if it is not given; `MISSING`: it is required.
    """

    name: str
    wire: str
    annotation: Any
    default: object


def fields_of(kind: Any) -> Sequence[PayloadField] | None:
    """The fields of a type; None: its values are not objects with known fields."""
    try:
        shape = shapes.type_info(kind)
        annotations = _annotations(kind)
    except (TypeError, NameError, AttributeError):
        return None
    if not isinstance(shape, _OBJECTS) or annotations is None:
        return None
    return [
        PayloadField(field.name, field.encode_name, annotations[field.name], _default(field)) for field in shape.fields
    ]


def body_of(kind: Any, fields: Sequence[PayloadField]) -> type[msgspec.Struct]:
    """The type of a body that has some of the fields of a payload type."""
    origin = cast("type", typing.get_origin(kind) or kind)
    config = getattr(origin, "__struct_config__", None)
    return msgspec.defstruct(
        f"{origin.__name__}Body",
        [_as_field(field) for field in fields],
        module=origin.__module__,
        namespace={"__doc__": origin.__doc__},
        rename={field.name: field.wire for field in fields},
        kw_only=True,
        forbid_unknown_fields=bool(config and config.forbid_unknown_fields),
    )


def _as_field(field: PayloadField) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.default is MISSING:
        return field.name, field.annotation
    # The same object at each time tells the default from a value that was given.
    return field.name, field.annotation, msgspec.field(default_factory=lambda: field.default)


def _annotations(kind: Any) -> dict[str, Any] | None:
    origin = typing.get_origin(kind)
    if isinstance(origin or kind, type) and issubclass(origin or kind, msgspec.Struct):
        return {field.name: field.type for field in msgspec.structs.fields(kind)}
    return None if origin is not None else typing.get_type_hints(kind, include_extras=True)


def _default(field: shapes.Field) -> object:
    if field.required:
        return MISSING
    if field.default_factory is not msgspec.NODEFAULT:
        made: object = field.default_factory()
        # Litestar takes only defaults that have a hash.
        return tuple(cast("list[object]", made)) if isinstance(made, list) else made
    return field.default if field.default is not msgspec.NODEFAULT else msgspec.UNSET
