"""Default values as expressions of Python."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Mapping, Set
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec

from daebus.export.models import Models

__all__ = ["expression", "is_shared", "quoted"]

_SIMPLE = (str, int, float, bytes, bool, type(None), Decimal, UUID)
_TIMES = (dt.date, dt.time, dt.timedelta)


def quoted(value: object) -> str:
    """`repr`, with double quotes for a text where that needs no more backslashes."""
    text = repr(value)
    is_plain = isinstance(value, str) and '"' not in text and "\\'" not in text
    return f'"{text[1:-1]}"' if is_plain else text


def is_shared(value: object) -> bool:
    """Whether all objects may have the same value as their default."""
    return isinstance(value, (*_SIMPLE, *_TIMES, enum.Enum, msgspec.UnsetType)) or value in ([], {})


def expression(value: object, models: Models) -> str:
    """A value as an expression.

    Raises:
        TypeError: It is of a class that no contract mentions.
    """
    if value is msgspec.UNSET:
        return "UNSET"
    if isinstance(value, enum.Enum):
        return f"{models.name_of(type(value))}.{value.name}"
    if isinstance(value, _TIMES):
        return repr(value).replace("datetime.", "dt.").replace("dt.dt.", "dt.datetime.")
    if isinstance(value, Decimal | UUID):
        return f'{type(value).__name__}("{value}")'
    if isinstance(value, _SIMPLE):
        return quoted(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return f"{{{', '.join(f'{expression(key, models)}: {expression(one, models)}' for key, one in items)}}}"
    given: Any = value
    if isinstance(value, list | tuple | Set) and not hasattr(given, "_fields"):
        return _collection(given, models)
    return _object(given, models)


def _collection(value: Collection[object], models: Models) -> str:
    items = [expression(one, models) for one in value]
    if isinstance(value, list):
        return f"[{', '.join(items)}]"
    if isinstance(value, tuple):
        return f"({', '.join(items)}{',' * (len(items) == 1)})"
    name = "frozenset" if isinstance(value, frozenset) else "set"
    return f"{name}({{{', '.join(sorted(items))}}})" if items else f"{name}()"


def _object(value: object, models: Models) -> str:
    if isinstance(value, msgspec.Struct):
        names = list(value.__struct_fields__)
    elif is_dataclass(value):
        names = [field.name for field in fields(value)]
    else:
        names = list(getattr(value, "_fields", None) or [field.name for field in getattr(value, "__attrs_attrs__", ())])
    given = ", ".join(f"{name}={expression(getattr(value, name), models)}" for name in names)
    return f"{models.name_of(type(value))}({given})"
