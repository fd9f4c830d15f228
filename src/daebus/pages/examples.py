"""Examples of messages, made from their schemas."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .reference import Schema

__all__ = ["example_of"]

_DEEPEST = 6
_TEXTS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "partial-time": "12:00:00",
    "duration": "PT1H",
    "uuid": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "decimal": "9.50",
}


def example_of(schema: Schema, schemas: Mapping[str, Schema], depth: int = 0) -> object:
    """A value that a schema describes, from its examples, defaults and constraints where it has them.

    Args:
        schema: The schema.
        schemas: Those to which it may refer, by name.
        depth: How deep it is nested; what is deeper than 6 is left out.
    """
    if depth > _DEEPEST:
        return None
    if schema.examples:
        return schema.examples[0]
    for given in (schema.const, schema.default):
        if given is not msgspec.UNSET:
            return given
    if schema.enum:
        return schema.enum[0]
    known = schemas.get(schema.ref.rpartition("/")[2])
    if known is not None:
        return example_of(known, schemas, depth + 1)
    choice = next(iter([*schema.any_of, *schema.one_of]), None)
    return example_of(choice, schemas, depth) if choice is not None else _plain(schema, schemas, depth)


def _plain(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> object:
    kind = schema.type if isinstance(schema.type, str) else schema.type[0]
    match kind:
        case "object":
            wanted = {name: one for name, one in schema.properties.items() if name in schema.required or depth < 3}
            return {name: example_of(one, schemas, depth + 1) for name, one in wanted.items()}
        case "array":
            if schema.prefix_items:
                return [example_of(one, schemas, depth + 1) for one in schema.prefix_items]
            return [example_of(schema.items, schemas, depth + 1)] if isinstance(schema.items, Schema) else []
        case "string":
            return _TEXTS.get(schema.format, "string")
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case _:
            return None


def _number(schema: Schema) -> float:
    least = schema.minimum if schema.minimum is not None else (schema.exclusive_minimum or 0) + 1
    found = max(least, 1) if schema.maximum is None else min(max(least, 1), schema.maximum)
    return int(found) if float(found).is_integer() else found
