"""The named types of contracts: structs, enums and the like, as msgspec describes them, each with a name of its own."""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import inspect as shapes

from daebus.mistakes.show_type import show_type
from daebus.payloads.docstrings import split_docstring
from daebus.payloads.naming import capitalized, unique
from daebus.payloads.schemas import described_fields, nested_in

__all__ = ["Fielded", "Models", "Named", "class_of", "defaults_of", "parts_of", "text_of", "texts_of_fields"]

Fielded: TypeAlias = shapes.StructType | shapes.DataclassType | shapes.NamedTupleType | shapes.TypedDictType
"""A type with fields."""

Named: TypeAlias = Fielded | shapes.EnumType
"""A type that has a name of its own in an exported document."""


class Models:
    """The types of some contracts.

    Args:
        kinds: The types of their payloads, replies and so on.
        reserved: Names that no type may have.

    Attributes:
        named: The named types, by their names, in the order in which they are mentioned.
    """

    def __init__(self, kinds: Iterable[object], reserved: Iterable[str] = ()) -> None:
        self._kinds = list(kinds)
        described = shapes.multi_type_info(cast("list[Any]", self._kinds))
        self._shapes = {id(kind): shape for kind, shape in zip(self._kinds, described, strict=True)}
        found = {shape.cls: shape for root in described for shape in _named_in(root)}
        self._names = _unique_names(list(found), set(reserved))
        self.named: Mapping[str, Named] = {self._names[cls]: shape for cls, shape in found.items()}

    def of(self, kind: object) -> shapes.Type:
        """The description of one of the types."""
        return self._shapes[id(kind)]

    def name(self, shape: Named) -> str:
        """The name of a named type."""
        return self._names[shape.cls]

    def name_of(self, cls: type) -> str:
        """The name of the type whose values are of a class. Raises `TypeError` if no contract mentions it."""
        known = next((name for name, shape in self.named.items() if class_of(shape) is cls), None)
        if known is None:
            raise TypeError(f"no contract mentions {cls.__qualname__}")
        return known


def _named_in(root: shapes.Type) -> Iterator[Named]:
    """The named types in a type, each before those that it mentions."""
    seen: set[int] = set()
    waiting: list[shapes.Type] = [root]
    while waiting:
        shape = waiting.pop(0)
        if id(shape) in seen:
            continue
        seen.add(id(shape))
        if isinstance(shape, Named):
            yield shape
        waiting[:0] = parts_of(shape)


def parts_of(shape: shapes.Type) -> Sequence[shapes.Type]:
    """The types of which a type is made: those of its fields, its items, its members."""
    return [field.type for field in shape.fields] if isinstance(shape, Fielded) else list(nested_in(shape))


def class_of(shape: Named) -> type[Any]:
    """The class of a named type, without the arguments of a generic one."""
    return cast("type[Any]", typing.get_origin(shape.cls) or shape.cls)


def _unique_names(classes: Sequence[object], reserved: set[str]) -> dict[object, str]:
    short = {cls: _name_of(cls) for cls in classes}
    shared = {name for name, number in Counter(short.values()).items() if number > 1} | reserved
    wanted = [_module_of(cls) + name if name in shared else name for cls, name in short.items()]
    return dict(zip(short, unique(wanted, reserved), strict=True))


def _module_of(cls: object) -> str:
    return capitalized(getattr(typing.get_origin(cls) or cls, "__module__", "").rpartition(".")[2])


def _name_of(cls: object) -> str:
    """The name of a class; that of a generic one has the names of its arguments."""
    origin = typing.get_origin(cls)
    if origin is None or not isinstance(origin, type):
        return cls.__name__ if isinstance(cls, type) else capitalized(show_type(cls))
    return f"{origin.__name__}Of{'And'.join(_argument(one) for one in typing.get_args(cls))}"


def _argument(kind: object) -> str:
    if isinstance(kind, type) and typing.get_origin(kind) is None:
        return kind.__name__[:1].upper() + kind.__name__[1:]
    name = _name_of(kind)
    return name[:1].upper() + name[1:]


def text_of(cls: type[Any]) -> str:
    """The docstring of a class, without what it says of its attributes."""
    own: object = vars(cls).get("__doc__")
    # Dataclasses and named tuples without a docstring get one that is their signature.
    return split_docstring(own)[0] if isinstance(own, str) and not own.startswith(f"{cls.__name__}(") else ""


def texts_of_fields(shape: Fielded) -> Mapping[str, str]:
    """What docstrings say of the fields of a type, except those that have a description of their own in `Meta`."""
    own = {field.name for field in shape.fields if _has_description(field.type)}
    return {name: text for name, text in described_fields(shape.cls).items() if name not in own}


def _has_description(shape: shapes.Type) -> bool:
    while isinstance(shape, shapes.Metadata):
        if "description" in cast("dict[str, Any]", shape.extra_json_schema or {}):
            return True
        shape = shape.type
    return False


def defaults_of(field: shapes.Field) -> object:
    """The default of a field that is not required; `UNSET`: it has none, or the factory of it cannot be called."""
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is msgspec.NODEFAULT:
        return msgspec.UNSET
    made: object = field.default_factory()
    return made
