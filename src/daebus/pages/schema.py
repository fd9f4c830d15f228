"""Schemas as HTML: the type of a value in one line, and the table of the fields of an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

import msgspec

from .reference import Schema
from .text import anchor, inline, paragraphs, value

__all__ = ["show_fields", "show_type"]


def show_type(schema: Schema) -> str:
    """The type of a value, with links to the schemas that have a name."""
    if schema.ref:
        name = schema.ref.rpartition("/")[2]
        return f'<a href="#{escape(anchor(name))}">{escape(name)}</a>'
    choices = [*schema.any_of, *schema.one_of]
    if choices:
        return " or ".join(map(show_type, choices))
    if schema.const is not msgspec.UNSET:
        return value(schema.const)
    if schema.enum is not msgspec.UNSET:
        return " or ".join(map(value, schema.enum))
    if schema.prefix_items:
        return f"[{', '.join(map(show_type, schema.prefix_items))}]"
    kind = schema.type if isinstance(schema.type, str) else " or ".join(schema.type)
    if kind == "array":
        return f"list of {show_type(schema.items) if isinstance(schema.items, Schema) else 'anything'}"
    if kind == "object" and isinstance(schema.additional_properties, Schema):
        return f"map of {show_type(schema.additional_properties)}"
    more = schema.format or schema.content_encoding
    return escape(f"{kind} ({more})" if more else kind or "anything")


def _limits(schema: Schema) -> Iterator[str]:
    bounds: Mapping[str, object] = {
        "at least": schema.minimum,
        "at most": schema.maximum,
        "more than": schema.exclusive_minimum,
        "less than": schema.exclusive_maximum,
        "multiple of": schema.multiple_of,
        "min. length": schema.min_length,
        "max. length": schema.max_length,
        "min. items": schema.min_items,
        "max. items": schema.max_items,
    }
    for name, bound in bounds.items():
        if bound is not None:
            shown = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
            yield f"{name} <code>{shown}</code>"
    if schema.pattern:
        yield f"pattern <code>{escape(schema.pattern)}</code>"
    if schema.default is not msgspec.UNSET:
        yield f"default {value(schema.default)}"
    if schema.examples:
        yield f"for example {', '.join(map(value, schema.examples))}"


def _facts(schema: Schema) -> str:
    limits = " · ".join(_limits(schema))
    return f'<div class="facts">{limits}</div>' if limits else ""


def show_fields(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """A value: the table of its fields if it is an object, else its type; names are followed at two levels."""
    known = schemas.get(schema.ref.rpartition("/")[2])
    if known is not None:
        return f'<p class="named">{show_type(schema)}</p>{show_fields(known, schemas)}'
    intro = paragraphs(schema.description)
    if not schema.properties:
        return f'{intro}<p class="named">{show_type(schema)}</p>{_facts(schema)}'
    strict = '<p class="facts">No other fields are accepted.</p>' if schema.additional_properties is False else ""
    rows = "".join(
        show_row(name, one, schemas, is_required=name in schema.required) for name, one in schema.properties.items()
    )
    return f'{intro}<table class="fields"><tbody>{rows}</tbody></table>{strict}'


def show_row(
    name: str,
    schema: Schema,
    schemas: Mapping[str, Schema],
    *,
    is_required: bool,
    place: str = "",
    description: str = "",
) -> str:
    """The row of a field or a parameter.

    Args:
        name: Its name.
        schema: Its schema; what it refers to is shown in the row if it is one of the `schemas`.
        schemas: Schemas by name.
        is_required: Whether it must be given.
        place: Where it stands, such as ``query``.
        description: A sentence about it; default: the one in the schema.
    """
    mark = '<span class="required">required</span>' if is_required else ""
    where = f'<span class="place">{escape(place)}</span>' if place else ""
    text = description or schema.description
    about = f'<div class="about">{inline(text)}</div>' if text else ""
    nested = ""
    shown = schemas.get(schema.ref.rpartition("/")[2], schema)
    if shown.properties:
        inner = show_fields(msgspec.structs.replace(shown, description=""), {})
        nested = f"<details><summary>Fields</summary>{inner}</details>"
    return (
        f'<tr><th scope="row"><code>{escape(name)}</code>{where}{mark}</th>'
        f'<td><span class="type">{show_type(schema)}</span>{about}{_facts(schema)}{nested}</td></tr>'
    )
