"""The types of contracts as data: what their values are in JSON. A file of contracts has them."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = [
    "Choice",
    "Field",
    "ListOf",
    "MapOf",
    "Number",
    "OneOf",
    "Plain",
    "PlainType",
    "Record",
    "RecordName",
    "Shape",
    "TupleOf",
]

Number: TypeAlias = int | float
"""A bound: as a float, one of 64 bits would not be exact."""

PlainType: TypeAlias = Literal[
    "anything",
    "null",
    "bool",
    "int",
    "float",
    "str",
    "bytes",
    "datetime",
    "date",
    "time",
    "duration",
    "uuid",
    "decimal",
    "custom",
]


class _Shape(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="is"):
    pass


class Plain(_Shape, frozen=True, tag="plain"):
    """A value without parts.

    Attributes:
        type: Its type; ``custom``: a class that only code of the service can decode, whose name is `name`.
        name: The name of that class.
        least: The lowest number, included.
        most: The highest number, included.
        above: A number above which it is.
        below: A number below which it is.
        multiple_of: A number of which it is a multiple.
        min_length: The least length.
        max_length: The greatest length.
        pattern: What it must match.
        has_zone: Whether a time must have, or must not have, a time zone; None: either.
    """

    type: PlainType
    name: str = ""
    least: Number | None = None
    most: Number | None = None
    above: Number | None = None
    below: Number | None = None
    multiple_of: Number | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    has_zone: bool | None = None


class Choice(_Shape, frozen=True, tag="choice"):
    """One of some values: a Literal or an enum."""

    values: tuple[str | int | None, ...]


class ListOf(_Shape, frozen=True, tag="list"):
    """A list or a set."""

    item: Shape
    min_length: int | None = None
    max_length: int | None = None


class TupleOf(_Shape, frozen=True, tag="tuple"):
    """A list with a type for each item."""

    items: tuple[Shape, ...]


class MapOf(_Shape, frozen=True, tag="map"):
    """An object with any keys."""

    key: Shape
    value: Shape
    min_length: int | None = None
    max_length: int | None = None


class OneOf(_Shape, frozen=True, tag="one of"):
    """A value of one of some types."""

    members: tuple[Shape, ...]


class RecordName(_Shape, frozen=True, tag="record"):
    """A record, by its name in the contracts."""

    name: str


Shape: TypeAlias = Plain | Choice | ListOf | TupleOf | MapOf | OneOf | RecordName


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field of a record.

    Attributes:
        name: Its name in JSON.
        shape: Its type.
        is_required: Whether it must be there when it is read.
        is_always: Whether it is there whenever it is written.
        default: Its value if it is not there, as JSON; None: it has none.
    """

    name: str
    shape: Shape
    is_required: bool = True
    is_always: bool = True
    default: str | None = None


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A struct, a dataclass, a named tuple or a typed dictionary.

    Attributes:
        name: Its name, for people.
        fields: Its fields.
        tag_field: The field that has the tag; None: there is no tag.
        tag: The tag.
        is_strict: Whether unknown fields are refused.
        is_array: Whether it is a list in JSON, with the fields in their order.
    """

    name: str
    fields: tuple[Field, ...]
    tag_field: str | None = None
    tag: str | int | None = None
    is_strict: bool = False
    is_array: bool = False
