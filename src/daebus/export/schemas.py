"""The JSON Schemas of types, as msgspec makes them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from daebus.mistakes.show_type import show_type

__all__ = ["Json", "Schemas", "members_of"]

Json: TypeAlias = dict[str, Any]


class Schemas:
    """The JSON Schemas of some types; those of structs, enums and the like are components.

    Args:
        kinds: The types.

    Attributes:
        components: The schemas of the components, by their names.
    """

    def __init__(self, kinds: Iterable[object]) -> None:
        self._kinds = [
            member for kind in kinds for member in {id(one): one for one in (kind, *members_of(kind))}.values()
        ]
        found, components = msgspec.json.schema_components(
            typing.cast("list[Any]", self._kinds),
            schema_hook=_anything,
            ref_template="#/components/schemas/{name}",
        )
        self.components: Mapping[str, Json] = {name: components[name] for name in sorted(components)}
        self._schemas = {id(kind): schema for kind, schema in zip(self._kinds, found, strict=True)}

    def of(self, kind: object) -> Json:
        """The schema of one of the types."""
        return self._schemas[id(kind)]


def members_of(kind: object) -> tuple[object, ...]:
    """The members of a union; the type itself if it is none."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else (kind,)


def _anything(kind: type) -> Json:
    """The schema of `object`, which is any JSON."""
    if kind is not object:
        raise NotImplementedError(f"{show_type(kind)} has no JSON form")
    return {}
