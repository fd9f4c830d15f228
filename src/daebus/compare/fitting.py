"""Which types fit into which, and how types are shown."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from .shapes import Choice, ListOf, MapOf, OneOf, Plain, Record, RecordName, Shape, TupleOf

__all__ = ["fits_plain", "key_of", "members_of", "show"]

# What is written as one type, and can be read as others.
_READ_AS: Mapping[str, frozenset[str]] = {
    "int": frozenset({"float", "decimal"}),
    "float": frozenset({"decimal"}),
    "bytes": frozenset({"str"}),
    "datetime": frozenset({"str"}),
    "date": frozenset({"str"}),
    "time": frozenset({"str"}),
    "duration": frozenset({"str"}),
    "uuid": frozenset({"str"}),
    "decimal": frozenset({"str"}),
}


def fits_plain(writer: Shape, reader: Shape) -> bool:
    """Whether values of one type can be read as another, for types that are not made of others."""
    if isinstance(writer, Choice) and isinstance(reader, Plain):
        return all(_type_of(value) in (reader.type, *_inverse(reader.type)) for value in writer.values)
    if not isinstance(writer, Plain) or not isinstance(reader, Plain):
        return False
    if writer.type == reader.type:
        return writer.name == reader.name
    return reader.type in _READ_AS.get(writer.type, ())


def _inverse(reader: str) -> list[str]:
    return [one for one, others in _READ_AS.items() if reader in others]


def _type_of(value: str | int | None) -> str:
    return "null" if value is None else "str" if isinstance(value, str) else "int"


def members_of(shape: Shape) -> tuple[Shape, ...]:
    """The members of a union; the type itself if it is none."""
    return shape.members if isinstance(shape, OneOf) else (shape,)


def key_of(shape: Shape, records: Mapping[str, Record]) -> Hashable:
    """What two members of unions have in common if one is the successor of the other."""
    match shape:
        case RecordName(name=name):
            record = records[name]
            return ("record", record.is_array, record.tag)
        case Plain():
            return (shape.type, shape.name)
        case _:
            return type(shape).__name__


def show(shape: Shape) -> str:
    """A type for people."""
    match shape:
        case Plain(type="null"):
            return "None"
        case Plain():
            return shape.name or shape.type
        case Choice():
            return " or ".join(map(repr, shape.values))
        case ListOf():
            return f"a list of {show(shape.item)}"
        case TupleOf():
            return f"[{', '.join(map(show, shape.items))}]"
        case MapOf():
            return f"a map of {show(shape.value)}"
        case OneOf():
            return " or ".join(map(show, shape.members))
        case RecordName():
            return shape.name
