"""Types whose values can be written as text, such as the values of a path or of a query string."""

from __future__ import annotations

from typing import cast

from msgspec import inspect as shapes

__all__ = ["can_be", "is_text", "is_text_or_texts"]

_TEXTS = (
    shapes.AnyType,
    shapes.BoolType,
    shapes.DateTimeType,
    shapes.DateType,
    shapes.DecimalType,
    shapes.EnumType,
    shapes.FloatType,
    shapes.IntType,
    shapes.LiteralType,
    shapes.NoneType,
    shapes.StrType,
    shapes.TimeDeltaType,
    shapes.TimeType,
    shapes.UUIDType,
)
_ARRAYS = (shapes.FrozenSetType, shapes.ListType, shapes.SetType, shapes.VarTupleType)


def can_be(annotation: object, allowed: tuple[type[shapes.Type], ...]) -> bool:
    """Whether msgspec sees an annotation as one of these shapes; for a union, each member must be one."""
    shape = _shape_of(annotation)
    return shape is not None and all(isinstance(member, allowed) for member in _members(shape))


def is_text(annotation: object) -> bool:
    """Whether each value of a type can be written as text."""
    return can_be(annotation, _TEXTS)


def is_text_or_texts(annotation: object) -> bool:
    """Whether each value of a type can be written as text, or as several texts under one name."""
    shape = _shape_of(annotation)
    return shape is not None and all(_is_written(member) for member in _members(shape))


def _is_written(shape: shapes.Type) -> bool:
    if isinstance(shape, _ARRAYS):
        return all(isinstance(member, _TEXTS) for member in _members(shape.item_type))
    return isinstance(shape, _TEXTS)


def _shape_of(annotation: object) -> shapes.Type | None:
    try:
        return shapes.type_info(cast("type", annotation))
    except (TypeError, NameError, AttributeError):
        return None


def _members(shape: shapes.Type) -> tuple[shapes.Type, ...]:
    while isinstance(shape, shapes.Metadata):
        shape = shape.type
    return shape.types if isinstance(shape, shapes.UnionType) else (shape,)
