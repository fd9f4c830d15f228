"""The types of msgspec as types of TypeScript: as they come from a service, and as a client may send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import inspect as shapes

from daebus.doors.fields import fields_of
from daebus.export.models import Fielded, Models, Named, class_of, parts_of
from daebus.mistakes.show_type import show_type

from .words import literal

__all__ = ["RESERVED", "VALUES", "Types", "is_array", "may_be_missing"]

_SAFE = 2**53 - 1

VALUES = (
    "Base64",
    "DateText",
    "DateTime",
    "Decimal",
    "Duration",
    "Int64",
    "LocalDateTime",
    "LocalTime",
    "Time",
    "UUID",
    "ZonedDateTime",
    "ZonedTime",
)
"""The types that the runtime defines for values which are text in JSON."""

RESERVED = frozenset(
    (
        *VALUES,
        *("Array", "Boolean", "Date", "Error", "Map", "Number", "Object", "Partial", "Promise", "Record", "Set"),
        *("String", "Symbol", "AsyncGenerator", "Http", "HttpOptions", "CallOptions", "StreamOptions", "Room"),
        *("Route", "Socket", "SocketOptions", "Waiting", "Response", "FormData", "URLSearchParams", "ServiceError"),
    )
)
"""Names that no generated type may have."""

_PLAIN: dict[type[shapes.Type], str] = {
    shapes.AnyType: "unknown",
    shapes.RawType: "unknown",
    shapes.NoneType: "null",
    shapes.BoolType: "boolean",
    shapes.FloatType: "number",
    shapes.StrType: "string",
    shapes.BytesType: "Base64",
    shapes.ByteArrayType: "Base64",
    shapes.MemoryViewType: "Base64",
    shapes.DateType: "DateText",
    shapes.TimeDeltaType: "Duration",
    shapes.UUIDType: "UUID",
    shapes.DecimalType: "Decimal",
}
_BY_ZONE = {None: "", True: "Zoned", False: "Local"}


class Types:
    """The types of TypeScript for the types of some contracts.

    Args:
        models: The types of the contracts.

    Attributes:
        inputs: The names of the types whose form differs where a client sends them, with the name of that form.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self.inputs: dict[str, str] = {}
        for name in self._differing():
            chosen = f"{name}Input"
            while chosen in models.named:
                chosen += "_"
            self.inputs[name] = chosen

    def _differing(self) -> Sequence[str]:
        """The types with two forms: those with fields that may be left out, and those that mention such types."""
        named = self.models.named
        differing = {name for name, shape in named.items() if _differs(shape)}
        more = differing
        while more:
            more = {name for name, shape in named.items() if name not in differing and self._has(shape, differing)}
            differing |= more
        return [name for name in named if name in differing]

    def _has(self, shape: Named, differing: set[str]) -> bool:
        """Whether a type mentions one of these types, without another named type between them."""
        waiting, seen = list(parts_of(shape)), set[int]()
        while waiting:
            part = waiting.pop()
            if isinstance(part, Named):
                if self.models.name(part) in differing:
                    return True
            elif id(part) not in seen:
                seen.add(id(part))
                waiting += parts_of(part)
        return False

    def of(self, kind: object, *, sent: bool) -> str:
        """The type of TypeScript of one of the types.

        Args:
            kind: The type.
            sent: Whether the client sends it.
        """
        return self.write(self.models.of(kind), sent=sent)

    def write(self, shape: shapes.Type, *, sent: bool) -> str:
        """The type of TypeScript of a description."""
        plain = _PLAIN.get(type(shape))
        if plain is not None:
            return plain
        if isinstance(shape, Named):
            return self._named(shape, sent=sent)
        match shape:
            case shapes.Metadata():
                return self.write(shape.type, sent=sent)
            case shapes.IntType():
                return _integer(shape)
            case shapes.DateTimeType():
                return f"{_BY_ZONE[shape.tz]}DateTime"
            case shapes.TimeType():
                return f"{_BY_ZONE[shape.tz]}Time"
            case shapes.LiteralType():
                return " | ".join(literal(value) for value in shape.values)
            case shapes.UnionType():
                members = [self.write(part, sent=sent) for part in shape.types]
                return " | ".join(dict.fromkeys(sorted(members, key=lambda one: one == "null")))
            case _:
                return self._container(shape, sent=sent)

    def _named(self, shape: Named, *, sent: bool) -> str:
        name = self.models.name(shape)
        return self.inputs.get(name, name) if sent else name

    def _container(self, shape: shapes.Type, *, sent: bool) -> str:
        match shape:
            case shapes.ListType() | shapes.SetType() | shapes.FrozenSetType() | shapes.VarTupleType():
                item = self.write(shape.item_type, sent=sent)
                return f"({item})[]" if " " in item and not item.endswith(">") else f"{item}[]"
            case shapes.TupleType():
                return f"[{', '.join(self.write(part, sent=sent) for part in shape.item_types)}]"
            case shapes.DictType():
                return self._mapping(shape.key_type, self.write(shape.value_type, sent=sent))
            case shapes.CustomType():
                return "unknown"
            case _:
                raise NotImplementedError(f"{show_type(type(shape))} has no JSON form")

    def _mapping(self, key: shapes.Type, value: str) -> str:
        match key:
            case shapes.Metadata():
                return self._mapping(key.type, value)
            case shapes.IntType() | shapes.FloatType() | shapes.DecimalType():
                return f"Record<`${{number}}`, {value}>"
            case shapes.EnumType() | shapes.LiteralType():
                return f"Partial<Record<`${{{self.write(key, sent=True)}}}`, {value}>>"
            case shapes.UnionType() | shapes.AnyType() | shapes.CustomType() | shapes.BoolType():
                return f"Record<string, {value}>"
            case _:
                return f"Record<{self.write(key, sent=True)}, {value}>"


def _integer(shape: shapes.IntType) -> str:
    """The type of an integer: one whose bounds allow more than a number can hold may be a bigint."""
    bounds = [bound for bound in (shape.gt, shape.ge, shape.lt, shape.le) if bound is not None]
    return "Int64" if any(abs(bound) > _SAFE for bound in bounds) else "number"


def is_array(shape: Named) -> bool:
    """Whether the values of a type with fields are arrays in JSON."""
    return isinstance(shape, shapes.NamedTupleType) or (isinstance(shape, shapes.StructType) and shape.array_like)


def may_be_missing(shape: Fielded) -> Sequence[str]:
    """The fields, by their names in JSON, that a service may leave out."""
    if isinstance(shape, shapes.TypedDictType):
        return [field.encode_name for field in shape.fields if not field.required]
    if isinstance(shape, shapes.NamedTupleType) or is_array(shape):
        return []
    config = getattr(class_of(shape), "__struct_config__", None)
    unset = {field.wire for field in fields_of(cast("Any", shape.cls)) or () if _may_be_unset(field.annotation)}
    return [
        field.encode_name
        for field in shape.fields
        if field.encode_name in unset or (config is not None and config.omit_defaults and not field.required)
    ]


def _may_be_unset(annotation: Any) -> bool:
    return annotation is msgspec.UnsetType or msgspec.UnsetType in getattr(annotation, "__args__", ())


def _differs(shape: Named) -> bool:
    """Whether a client may leave out other fields than a service."""
    if isinstance(shape, shapes.EnumType):
        return False
    optional = [field.encode_name for field in shape.fields if not field.required]
    return set(optional) != set(may_be_missing(shape))
