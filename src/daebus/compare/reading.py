"""The types of Python as shapes."""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import msgspec
from msgspec import inspect as kinds

from daebus.payloads.naming import numbered

from .shapes import Choice, Field, ListOf, MapOf, OneOf, Plain, PlainType, Record, RecordName, Shape, TupleOf

__all__ = ["ShapeReader"]

_Fielded = kinds.StructType | kinds.DataclassType | kinds.NamedTupleType | kinds.TypedDictType
_PLAIN: Mapping[type[kinds.Type], PlainType] = {
    kinds.AnyType: "anything",
    kinds.RawType: "anything",
    kinds.NoneType: "null",
    kinds.BoolType: "bool",
    kinds.IntType: "int",
    kinds.FloatType: "float",
    kinds.StrType: "str",
    kinds.BytesType: "bytes",
    kinds.ByteArrayType: "bytes",
    kinds.MemoryViewType: "bytes",
    kinds.DateTimeType: "datetime",
    kinds.DateType: "date",
    kinds.TimeType: "time",
    kinds.TimeDeltaType: "duration",
    kinds.UUIDType: "uuid",
    kinds.DecimalType: "decimal",
}
_LIMITS = {"ge": "least", "le": "most", "gt": "above", "lt": "below", "tz": "has_zone"}
_EMPTY: Collection[object] = (list, dict, set)
_SAME = ("multiple_of", "min_length", "max_length", "pattern")


class ShapeReader:
    """Reads types, and collects the records in them.

    Attributes:
        records: The records, by the names that their shapes have.
    """

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._names: dict[object, str] = {}

    def read(self, kind: object) -> Shape:
        """The shape of a type."""
        return self._shape(kinds.type_info(cast("Any", kind)))

    def _shape(self, given: kinds.Type) -> Shape:
        plain = _PLAIN.get(type(given))
        if plain is not None:
            return _plain(plain, given)
        if isinstance(given, _Fielded):
            return self._record(given)
        return self._composed(given)

    def _composed(self, given: kinds.Type) -> Shape:
        match given:
            case kinds.Metadata(type=inner):
                return self._shape(inner)
            case kinds.CollectionType(item_type=item, min_length=least, max_length=most):
                return ListOf(self._shape(item), least, most)
            case kinds.TupleType(item_types=items):
                return TupleOf(tuple(map(self._shape, items)))
            case kinds.DictType(key_type=key, value_type=value, min_length=least, max_length=most):
                return MapOf(self._shape(key), self._shape(value), least, most)
            case kinds.UnionType(types=members):
                return OneOf(tuple(map(self._shape, members)))
            case kinds.LiteralType(values=values):
                return Choice(tuple(values))
            case kinds.EnumType(cls=enum):
                return Choice(tuple(member.value for member in enum))
            case kinds.CustomType(cls=cls):
                return Plain("anything") if cls is object else Plain("custom", f"{cls.__module__}.{cls.__qualname__}")
            case _:
                return Plain("custom", type(given).__name__)

    def _record(self, given: _Fielded) -> RecordName:
        known = self._names.get(given.cls)
        if known is None:
            known = self._names[given.cls] = self._new_name(_name_of(given.cls))
            self.records[known] = Record(known, ())  # for a record that contains itself
            self.records[known] = self._described(given, known)
        return RecordName(known)

    def _new_name(self, name: str) -> str:
        return next(each for each in numbered(name, "{} ({})") if each not in self.records)

    def _described(self, given: _Fielded, name: str) -> Record:
        config = getattr(typing.get_origin(given.cls) or given.cls, "__struct_config__", None)
        omits = config is not None and config.omit_defaults
        fields = tuple(self._field(each, omits=omits) for each in given.fields)
        if not isinstance(given, kinds.StructType):
            return Record(name, fields, is_array=isinstance(given, kinds.NamedTupleType))
        return Record(name, fields, given.tag_field, given.tag, given.forbid_unknown_fields, given.array_like)

    def _field(self, given: kinds.Field, *, omits: bool) -> Field:
        has_default = given.default is not msgspec.NODEFAULT or given.default_factory is not msgspec.NODEFAULT
        is_always = given.required or (has_default and not omits)
        return Field(given.encode_name, self._shape(given.type), given.required, is_always, _default(given))


def _plain(kind: PlainType, given: kinds.Type) -> Plain:
    limits: dict[str, Any] = {name: getattr(given, name, None) for name in _SAME}
    limits |= {ours: getattr(given, theirs, None) for theirs, ours in _LIMITS.items()}
    return Plain(kind, **limits)


def _name_of(cls: object) -> str:
    origin = typing.get_origin(cls)
    if origin is None:
        return str(getattr(cls, "__qualname__", cls)).rpartition("<locals>.")[2]
    return f"{_name_of(origin)}[{', '.join(map(_name_of, typing.get_args(cls)))}]"


def _default(given: kinds.Field) -> str | None:
    """The default as JSON; None if it has none, or one that is made anew each time."""
    factory = cast("Callable[[], object]", given.default_factory)
    if given.default is msgspec.NODEFAULT and factory not in _EMPTY:
        return None
    value: object = factory() if given.default is msgspec.NODEFAULT else given.default
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        return None  # a default without a JSON form is not compared
