"""The JSON Schemas of types, as msgspec makes them, with the descriptions of fields from the docstrings."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect as shapes

from daebus.mistakes.show_type import show_type

from .docstrings import split_docstring

__all__ = [
    "REFERENCE",
    "UNKNOWN_VERSION",
    "Json",
    "Schemas",
    "anything",
    "described_fields",
    "members_of",
    "nested_in",
    "objects_in",
    "reachable",
]

Json: TypeAlias = dict[str, Any]

Hook = Callable[[type], Json]

REFERENCE = "#/components/schemas/"
"""What a reference to a component begins with."""

UNKNOWN_VERSION = "1.0.0"
"""The version in a document of a service whose version is unknown: OpenAPI and AsyncAPI require one."""


class Schemas:
    """The JSON Schemas of some types; those of structs, enums and the like are components.

    Args:
        kinds: The types.
        custom: Makes the schema of a class that msgspec does not know. Default: only that of `object`, which is any
            JSON. It raises `NotImplementedError` for a class that has none.
        has_discriminators: Whether tagged unions have a ``discriminator``, as in OpenAPI.

    Attributes:
        components: The schemas of the components, by their names.

    Raises:
        TypeError: A type has no JSON form.
    """

    def __init__(self, kinds: Iterable[object], custom: Hook | None = None, *, has_discriminators: bool = True) -> None:
        self._kinds = [
            member for kind in kinds for member in {id(one): one for one in (kind, *members_of(kind))}.values()
        ]
        given = typing.cast("list[Any]", self._kinds)
        found, components = msgspec.json.schema_components(
            given, schema_hook=custom or anything, ref_template=f"{REFERENCE}{{name}}"
        )
        _describe(components.values(), shapes.multi_type_info(given))
        if not has_discriminators:
            _drop_discriminators([*found, *components.values()])
        self.components: Mapping[str, Json] = {name: components[name] for name in sorted(components)}
        self._schemas = {id(kind): schema for kind, schema in zip(self._kinds, found, strict=True)}

    def of(self, kind: object) -> Json:
        """The schema of one of the types."""
        return self._schemas[id(kind)]


def members_of(kind: object) -> tuple[object, ...]:
    """The members of a union; the type itself if it is none."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else (kind,)


def nested_in(shape: object) -> Iterator[shapes.Type]:
    """The types of which a type is made, as `msgspec.inspect` describes them; not those of its fields."""
    match shape:
        case shapes.Metadata(type=inner):
            yield inner
        case shapes.CollectionType(item_type=item):
            yield item
        case shapes.TupleType(item_types=items):
            yield from items
        case shapes.DictType(key_type=key, value_type=value):
            yield from (key, value)
        case shapes.UnionType(types=members):
            yield from members
        case _:
            return


def anything(kind: type) -> Json:
    """The schema of `object`, which is any JSON; msgspec refuses an empty one. Raises `NotImplementedError`."""
    if kind is not object:
        raise NotImplementedError(f"{show_type(kind)} has no JSON form")
    return {"description": "Any JSON."}


def _drop_discriminators(part: object) -> None:
    if isinstance(part, list):
        for each in typing.cast("list[object]", part):
            _drop_discriminators(each)
    elif isinstance(part, dict):
        schema = typing.cast("Json", part)
        if "anyOf" in schema:
            schema.pop("discriminator", None)
        _drop_discriminators(list(schema.values()))


def objects_in(value: object) -> Iterator[Json]:
    """The objects in a part of a document, itself included."""
    if isinstance(value, dict):
        yield typing.cast("Json", value)
        for part in typing.cast("Json", value).values():
            yield from objects_in(part)
    elif isinstance(value, list):
        for part in typing.cast("list[object]", value):
            yield from objects_in(part)


def reachable(start: object, components: Mapping[str, Json]) -> set[str]:
    """The names of the components to which a part of a document refers, also through others."""
    found: set[str] = set()
    waiting: list[object] = [start]
    while waiting:
        values = [value for part in objects_in(waiting.pop()) for value in part.values()]
        references = [value for value in values if isinstance(value, str) and value.startswith(REFERENCE)]
        more = {name for name in (each.removeprefix(REFERENCE) for each in references) if name in components} - found
        found |= more
        waiting += [components[name] for name in more]
    return found


_Documented = shapes.StructType | shapes.DataclassType | shapes.TypedDictType


def _describe(components: Iterable[Json], kinds: Iterable[shapes.Type]) -> None:
    """Move what docstrings say of the fields from the description of a component to those of its properties."""
    known = {
        (_name_of(each.cls), tuple(field.encode_name for field in each.fields)): each for each in _documented_in(kinds)
    }
    for component in components:
        text, _ = split_docstring(component.pop("description", ""))
        if text:
            component["description"] = text
        properties: dict[str, Json] = component.get("properties", {})
        name, names = str(component.get("title")).partition("[")[0], tuple(properties)
        shape = known.get((name, names)) or known.get((name, names[1:]))  # the first one may be the tag
        if shape is not None:
            described = described_fields(shape.cls)
            for field in shape.fields:
                if field.name in described:
                    properties[field.encode_name].setdefault("description", described[field.name])


def _name_of(cls: Any) -> str:
    return str((typing.get_origin(cls) or cls).__name__)


def described_fields(kind: Any) -> Mapping[str, str]:
    """What the docstrings of a class and its bases say of its fields."""
    bases: Iterable[type] = getattr(typing.get_origin(kind) or kind, "__mro__", ())
    found: dict[str, str] = {}
    for base in bases:
        found = {**split_docstring(base.__doc__ or "")[1], **found}
    return found


def _documented_in(kinds: Iterable[shapes.Type]) -> Iterator[_Documented]:
    waiting, seen = list(kinds), set[int]()
    while waiting:
        shape = waiting.pop()
        if isinstance(shape, _Documented):
            if id(shape) in seen:
                continue
            seen.add(id(shape))
            yield shape
            waiting += [field.type for field in shape.fields]
        waiting += nested_in(shape)
