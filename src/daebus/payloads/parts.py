"""The parts of a type, as msgspec decodes it: the fields of an object, the items of an array."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import msgspec
import typing_extensions
from msgspec import inspect as shapes

__all__ = ["Array", "Field", "Mapped", "Object", "Shape", "members_of", "shape_of"]

_REQUIREMENTS = frozenset((typing.Required, typing.NotRequired, typing_extensions.ReadOnly, typing.Final))
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_ARRAYS = (list, set, frozenset, tuple, *(getattr(collections.abc, name) for name in (
    "Collection", "Sequence", "MutableSequence", "Set", "MutableSet"
)))  # fmt: skip


class Field(NamedTuple):
    """One field of an object."""

    name: str
    kind: Any
    is_required: bool


class Object(NamedTuple):
    """An object with fields that are known."""

    fields: Mapping[str, Field]
    tag_field: str | None
    tag: str | int | None
    is_closed: bool
    """Whether other fields are forbidden."""


class Mapped(NamedTuple):
    """An object with arbitrary names."""

    name_kind: Any
    value_kind: Any


class Array(NamedTuple):
    """An array: of any number of items of one type, or of items whose types are listed."""

    item_kind: Any
    item_kinds: tuple[Any, ...] | None
    tag: str | int | None = None


Shape = Object | Mapped | Array


def members_of(kind: Any) -> tuple[list[Any], list[msgspec.Meta]]:
    """The members of a union, or the type itself, and the constraints of the whole."""
    kind, metas = _bare(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        inner = [members_of(member) for member in typing.get_args(kind)]
        return [member for members, _ in inner for member in members], [*metas, *(m for _, more in inner for m in more)]
    return [kind], metas


def shape_of(kind: Any) -> Shape | None:
    """The parts of a type that has no constraints and is no union; None: it has no parts."""
    origin = typing.get_origin(kind) or kind
    arguments = typing.get_args(kind)
    if origin in _MAPPINGS:
        name, value = arguments or (Any, Any)
        return Mapped(name, value)
    if origin in _ARRAYS:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return Array(Any, arguments)
        return Array(arguments[0] if arguments else Any, None)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, msgspec.Struct):
        return _of_struct(kind, origin)
    return _of_class(kind, origin)  # pyright: ignore[reportUnknownArgumentType]  # of any class


def _of_struct(kind: Any, origin: type[msgspec.Struct]) -> Shape:
    config = origin.__struct_config__
    fields = msgspec.structs.fields(kind)
    if config.array_like:
        tagged = () if config.tag is None else (Any,)
        return Array(Any, (*tagged, *(field.type for field in fields)), config.tag)
    known = {field.encode_name: Field(field.encode_name, field.type, field.required) for field in fields}
    return Object(known, config.tag_field, config.tag, config.forbid_unknown_fields)


def _of_class(kind: Any, origin: type) -> Shape | None:
    """The shape of a dataclass, a class of attrs, a TypedDict or a NamedTuple."""
    shape = shapes.type_info(cast("type", kind))
    if not isinstance(shape, shapes.DataclassType | shapes.TypedDictType | shapes.NamedTupleType):
        return None
    hints = typing_extensions.get_type_hints(origin, include_extras=True)
    given = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    kinds = {field.name: _filled(hints[field.name], given) for field in shape.fields}
    if isinstance(shape, shapes.NamedTupleType):
        return Array(Any, tuple(kinds.values()))
    known = {field.encode_name: Field(field.encode_name, kinds[field.name], field.required) for field in shape.fields}
    return Object(known, None, None, is_closed=False)


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    """The type of a field, with the type variables of a generic class replaced by its arguments."""
    while typing.get_origin(hint) in _REQUIREMENTS:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(one, Any) for one in parameters)] if parameters else hint


def _bare(kind: Any) -> tuple[Any, list[msgspec.Meta]]:
    """A type without annotations that only describe it, and its constraints."""
    metas: list[msgspec.Meta] = []
    while True:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            kind, *more = typing.get_args(kind)
            metas.extend(meta for meta in more if isinstance(meta, msgspec.Meta))
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif isinstance(kind, typing_extensions.TypeAliasType):
            kind = kind.__value__
        else:
            return kind, metas
