"""The types that can be encoded as JSON, as far as a type checker can express them."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Mapping, Sequence, Set
from dataclasses import Field
from typing import Any, ClassVar, Protocol, TypeAlias

import msgspec

__all__ = ["Encodable"]


class _Dataclass(Protocol):
    # Any, as only that matches a dataclass with fields of any type.
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class _Attrs(Protocol):
    __attrs_attrs__: ClassVar[Any]


Encodable: TypeAlias = (
    msgspec.Struct
    | _Dataclass
    | _Attrs
    | enum.Enum
    | str
    | float
    | bytes
    | bytearray
    | memoryview
    | dt.date
    | dt.time
    | dt.timedelta
    | uuid.UUID
    | decimal.Decimal
    | Sequence["Encodable"]
    | Set["Encodable"]
    | Mapping[Any, object]
    | msgspec.Raw
    | msgspec.UnsetType
    | None
)
"""The types that msgspec encodes. What a mapping holds is not typed here; registration checks it."""
