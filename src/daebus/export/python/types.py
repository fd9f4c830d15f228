"""The types of msgspec as annotations in Python, with their constraints."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping
from typing import Any, cast

from msgspec import inspect as shapes

from daebus.export.models import Fielded, Models
from daebus.mistakes.show_type import show_type

from .values import quoted

__all__ = ["Annotations"]

_PLAIN: Mapping[type[shapes.Type], str] = {
    shapes.AnyType: "object",
    shapes.CustomType: "object",
    shapes.RawType: "msgspec.Raw",
    shapes.NoneType: "None",
    shapes.BoolType: "bool",
    shapes.IntType: "int",
    shapes.FloatType: "float",
    shapes.StrType: "str",
    shapes.BytesType: "bytes",
    shapes.ByteArrayType: "bytearray",
    shapes.MemoryViewType: "memoryview",
    shapes.DateTimeType: "dt.datetime",
    shapes.TimeType: "dt.time",
    shapes.DateType: "dt.date",
    shapes.TimeDeltaType: "dt.timedelta",
    shapes.UUIDType: "UUID",
    shapes.DecimalType: "Decimal",
}
_COLLECTIONS: Mapping[type[shapes.Type], str] = {
    shapes.ListType: "list",
    shapes.SetType: "set",
    shapes.FrozenSetType: "frozenset",
    shapes.VarTupleType: "tuple",
}
_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
_TEXTS = ("title", "description", "examples")


class Annotations:
    """Writes types as annotations.

    Args:
        models: The types.
        taken: The names of the fields of all classes: a builtin of the same name is written with its module, because
            msgspec looks up annotations in the class, too.
    """

    def __init__(self, models: Models, taken: Collection[str]) -> None:
        self.models = models
        self._taken = taken

    def of(self, kind: object) -> str:
        """The annotation of one of the types."""
        return self.write(self.models.of(kind))

    def write(self, shape: shapes.Type) -> str:
        """The annotation of a described type."""
        bare, meta = self._split(shape)
        return f"Annotated[{self._bare(bare)}, Meta({', '.join(meta)})]" if meta else self._bare(bare)

    def _split(self, shape: shapes.Type) -> tuple[shapes.Type, list[str]]:
        """A type without what it says besides, and that as arguments of `Meta`."""
        texts: dict[str, object] = {}
        extra: dict[str, object] = {}
        while isinstance(shape, shapes.Metadata):
            for name, value in cast("dict[str, Any]", shape.extra_json_schema or {}).items():
                (texts if name in _TEXTS else extra).setdefault(name, value)
            shape = shape.type
        given = {name: getattr(shape, name, None) for name in _CONSTRAINTS}
        meta = {name: value for name, value in given.items() if value is not None} | texts
        if extra:
            meta["extra_json_schema"] = extra
        return shape, [f"{name}={_shown(value)}" for name, value in meta.items()]

    def _bare(self, shape: shapes.Type) -> str:
        plain = _PLAIN.get(type(shape))
        if plain is not None:
            return self._builtin(plain)
        match shape:
            case shapes.EnumType():
                return self.models.name(shape)
            case shapes.LiteralType():
                return f"Literal[{', '.join(map(quoted, shape.values))}]"
            case shapes.UnionType():
                members = [self.write(part) for part in shape.types]
                return " | ".join(dict.fromkeys(sorted(members, key=lambda one: one == "None")))
            case shapes.TupleType():
                items = ", ".join(self.write(part) for part in shape.item_types)
                return f"{self._builtin('tuple')}[{items or '()'}]"
            case shapes.DictType():
                return f"{self._builtin('dict')}[{self.write(shape.key_type)}, {self.write(shape.value_type)}]"
            case shapes.CollectionType():
                more = ", ..." if isinstance(shape, shapes.VarTupleType) else ""
                return f"{self._builtin(_COLLECTIONS[type(shape)])}[{self.write(shape.item_type)}{more}]"
            case _:
                if isinstance(shape, Fielded):
                    return self.models.name(shape)
                raise NotImplementedError(f"{show_type(type(shape))} has no JSON form")

    def _builtin(self, name: str) -> str:
        return f"builtins.{name}" if name in self._taken and hasattr(builtins, name) else name


def _shown(value: object) -> str:
    """An argument of `Meta`."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, cast('list[object]', value)))}]"
    return quoted(value)
