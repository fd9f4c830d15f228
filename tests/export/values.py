"""Values of any type that msgspec knows, for hypothesis: by what `msgspec.inspect` says of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, cast

from hypothesis import strategies as st
from msgspec import inspect as shapes

from daebus.export.models import Fielded, class_of

__all__ = ["values_of"]

_DEPTH = 4  # of types that contain themselves

_ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
_CHARACTERS = st.characters(codec="utf-8")
_TEXT = st.text(_CHARACTERS, max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)

Strategy = st.SearchStrategy[Any]

_SCALARS: Mapping[type[shapes.Type], Strategy] = {
    shapes.AnyType: _JSON,
    shapes.CustomType: _JSON,
    shapes.NoneType: st.none(),
    shapes.BoolType: st.booleans(),
    shapes.BytesType: st.binary(max_size=20),
    shapes.DateType: st.dates(),
    shapes.TimeDeltaType: st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000)),
    shapes.UUIDType: st.uuids(),
    shapes.DecimalType: st.decimals(allow_nan=False, allow_infinity=False),
}


def values_of(kind: object) -> Strategy:
    """The values of a type."""
    return _values(shapes.type_info(cast("Any", kind)), _DEPTH)


def _values(shape: shapes.Type, depth: int) -> Strategy:
    known = _SCALARS.get(type(shape))
    if known is not None:
        return known
    match shape:
        case shapes.Metadata():
            return _values(shape.type, depth)
        case shapes.IntType() | shapes.FloatType():
            return _numbers(shape)
        case shapes.StrType():
            return _texts(shape)
        case shapes.DateTimeType() | shapes.TimeType():
            make = st.datetimes if isinstance(shape, shapes.DateTimeType) else st.times
            return make(timezones=_zones(shape.tz))
        case shapes.LiteralType():
            return st.sampled_from(shape.values)
        case shapes.EnumType():
            return st.sampled_from(list(shape.cls))
        case shapes.UnionType():
            return st.one_of(*(_values(part, depth) for part in shape.types))
        case _:
            return _objects(shape, depth) if isinstance(shape, Fielded) else _containers(shape, depth)


def _zones(tz: bool | None) -> Strategy:
    return {None: st.none() | _ZONES, True: _ZONES, False: st.none()}[tz]


def _numbers(shape: shapes.IntType | shapes.FloatType) -> Strategy:
    if isinstance(shape, shapes.FloatType):
        least, most = shape.gt if shape.gt is not None else shape.ge, shape.lt if shape.lt is not None else shape.le
        return st.floats(
            least,
            most,
            allow_nan=False,
            allow_infinity=False,
            exclude_min=shape.gt is not None,
            exclude_max=shape.lt is not None,
        )
    step = shape.multiple_of or 1
    least = shape.ge if shape.gt is None else shape.gt + 1
    most = shape.le if shape.lt is None else shape.lt - 1
    return st.integers(None if least is None else -(-least // step), None if most is None else most // step).map(
        lambda number: number * step
    )


def _texts(shape: shapes.StrType) -> Strategy:
    least, most = shape.min_length or 0, shape.max_length
    if shape.pattern is None:
        return st.text(_CHARACTERS, min_size=least, max_size=8 if most is None else most)
    found = st.from_regex(shape.pattern.replace("$", r"\Z"))
    return found.filter(lambda text: least <= len(text) and (most is None or len(text) <= most))


def _containers(shape: shapes.Type, depth: int) -> Strategy:
    if isinstance(shape, shapes.TupleType):
        return st.tuples(*(_values(part, depth) for part in shape.item_types))
    if isinstance(shape, shapes.DictType):
        most = 2 if shape.max_length is None else shape.max_length
        return st.dictionaries(_values(shape.key_type, depth), _values(shape.value_type, depth), max_size=most)
    assert isinstance(shape, shapes.CollectionType), shape
    make = _MAKERS[type(shape)]
    most = (2 if shape.max_length is None else shape.max_length) if depth > 0 else (shape.min_length or 0)
    is_set = isinstance(shape, shapes.SetType | shapes.FrozenSetType)
    if most == 0:
        return st.just(make([]))
    items = st.deferred(lambda: _values(shape.item_type, depth))
    return st.lists(items, min_size=shape.min_length or 0, max_size=most, unique=is_set).map(make)


_MAKERS: Mapping[type[shapes.Type], Callable[[list[Any]], object]] = {
    shapes.ListType: list,
    shapes.SetType: set,
    shapes.FrozenSetType: frozenset,
    shapes.VarTupleType: tuple,
}


def _objects(shape: Fielded, depth: int) -> Strategy:
    """Objects of a class: a field with a default has a value or not, and below the depth it has none."""
    cls = class_of(shape)
    required = {field.name: _values(field.type, depth - 1) for field in shape.fields if field.required}
    others = [field for field in shape.fields if not field.required] if depth > 0 else []
    optional = {field.name: _later(field.type, depth - 1) for field in others}
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: cls(**fields))


def _later(shape: shapes.Type, depth: int) -> Strategy:
    return st.deferred(lambda: _values(shape, depth))
