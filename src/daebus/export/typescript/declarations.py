"""The declarations of the named types: interfaces, tuples, and enums as objects of constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec
from msgspec import inspect as shapes

from daebus.export.models import Fielded, class_of, defaults_of, text_of, texts_of_fields

from .types import Types, is_array, may_be_missing
from .words import comment, literal, property_name

__all__ = ["declarations", "texts_of_field"]


def declarations(types: Types) -> Iterator[str]:
    """The declarations of all named types; a type with two forms has two."""
    for name, shape in types.models.named.items():
        if isinstance(shape, shapes.EnumType):
            yield _enum(name, shape)
            continue
        yield _declared(types, shape, name, sent=False)
        if name in types.inputs:
            yield _declared(types, shape, types.inputs[name], sent=True)


def _enum(name: str, shape: shapes.EnumType) -> str:
    members = "".join(f"  {property_name(one.name)}: {literal(one.value)},\n" for one in shape.cls)
    about = comment([text_of(shape.cls)])
    of_type = f"export type {name} = (typeof {name})[keyof typeof {name}];\n"
    return f"{about}export const {name} = {{\n{members}}} as const;\n{about}{of_type}"


def _declared(types: Types, shape: Fielded, name: str, *, sent: bool) -> str:
    texts = texts_of_fields(shape)
    form = f"`{types.models.name(shape)}`, as a client sends it: what has a default may be left out."
    about = comment([*([form] if sent else []), text_of(class_of(shape))])
    optional = {field.encode_name for field in shape.fields if not field.required} if sent else may_be_missing(shape)
    tag = isinstance(shape, shapes.StructType) and shape.tag_field is not None
    if is_array(shape):
        return f"{about}export type {name} = {_tuple(types, shape, sent=sent)};\n"
    lines: list[str] = []
    if tag and isinstance(shape, shapes.StructType):
        lines.append(f"  {property_name(str(shape.tag_field))}: {literal(shape.tag)};\n")
    for field in shape.fields:
        mark = "?" if field.encode_name in optional else ""
        described = [texts.get(field.name, ""), *texts_of_field(field, sent=sent)]
        lines.append(comment([one for one in dict.fromkeys(described) if one], "  "))
        lines.append(f"  {property_name(field.encode_name)}{mark}: {types.write(field.type, sent=sent)};\n")
    return f"{about}export interface {name} {{\n{''.join(lines)}}}\n"


def _tuple(types: Types, shape: Fielded, *, sent: bool) -> str:
    parts = [f"type: {literal(shape.tag)}"] if isinstance(shape, shapes.StructType) and shape.tag is not None else []
    last = max((index for index, field in enumerate(shape.fields) if field.required), default=-1)
    for index, field in enumerate(shape.fields):
        mark = "?" if sent and index > last else ""
        parts.append(f"{_label(field.name)}{mark}: {types.write(field.type, sent=sent)}")
    return f"[{', '.join(parts)}]"


def _label(name: str) -> str:
    return name if name.isascii() else "item"


def texts_of_field(field: shapes.Field, *, sent: bool) -> Sequence[str]:
    """What TypeScript cannot say of a field: its description, its bounds, and its default where it is sent."""
    metas = list(_metas(field.type))
    found = [str(meta["description"]) for meta in metas if "description" in meta]
    found += [str(meta["title"]) for meta in metas if "title" in meta and "description" not in meta]
    limits = " ".join(f"{one}." for one in _limits(field.type))
    if limits:
        found.append(limits)
    examples = [one for meta in metas for one in meta.get("examples", ())]
    if examples:
        found.append(f"Examples: {', '.join(f'`{literal(one)}`' for one in examples)}.")
    if sent and not field.required and (default := _default(field)):
        found.append(f"Default: `{default}`.")
    return found


def _metas(shape: shapes.Type) -> Iterator[dict[str, Any]]:
    match shape:
        case shapes.Metadata():
            yield cast("dict[str, Any]", shape.extra_json_schema or {})
            yield from _metas(shape.type)
        case shapes.UnionType():
            for part in shape.types:
                yield from _metas(part)
        case _:
            return


def _default(field: shapes.Field) -> str:
    default = defaults_of(field)
    if default is msgspec.UNSET:
        return ""
    try:
        return literal(default)
    except TypeError:  # an object of the factory that is never sent
        return ""


_BOUNDS = {"gt": "More than {}", "ge": "At least {}", "lt": "Less than {}", "le": "At most {}"}


def _limits(shape: shapes.Type) -> Iterator[str]:
    """The bounds of a type, each as a sentence without its full stop."""
    match shape:
        case shapes.Metadata():
            yield from _limits(shape.type)
        case shapes.UnionType():
            for part in shape.types:
                yield from _limits(part)
        case shapes.IntType() | shapes.FloatType():
            for bound, text in _BOUNDS.items():
                if (value := getattr(shape, bound)) is not None:
                    yield text.format(value)
            if shape.multiple_of is not None:
                yield f"A multiple of {shape.multiple_of}"
        case _:
            yield from _lengths(shape)


def _lengths(shape: shapes.Type) -> Iterator[str]:
    unit = "characters" if isinstance(shape, shapes.StrType) else "items"
    if isinstance(shape, shapes.BytesType | shapes.ByteArrayType | shapes.MemoryViewType):
        unit = "bytes"
    for bound, text in (("min_length", "At least"), ("max_length", "At most")):
        value: object = getattr(shape, bound, None)
        if value is not None:
            yield f"{text} {value} {unit if value != 1 else unit[:-1]}"
    if isinstance(shape, shapes.StrType) and shape.pattern is not None:
        yield f"Matches `{shape.pattern}`"
