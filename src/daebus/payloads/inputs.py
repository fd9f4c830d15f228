"""Forms of input, split into parts one level at a time: JSON, and values that are text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import msgspec

__all__ = ["Hook", "Input", "Json", "JsonInput", "ValuesInput"]

Hook: TypeAlias = Callable[[type, Any], Any]
"""Decodes the types that msgspec does not know, like msgspec's ``dec_hook``."""

Json: TypeAlias = bytes | str | msgspec.Raw

_BROKEN = (msgspec.MsgspecError, UnicodeError, RecursionError)

T = TypeVar("T")


class Input(Protocol[T]):
    """A form of input."""

    def check(self, value: T, kind: Any) -> Exception | None:
        """Why a value cannot be decoded as a type; None: it can be decoded."""
        ...

    def check_name(self, name: str, kind: Any) -> Exception | None:
        """Why the name of a value cannot be decoded as the type of a dict's keys; None: it can be decoded."""
        ...

    def fields(self, value: T) -> Mapping[str, T] | None:
        """The values of an object by their names; None: it is no object."""
        ...

    def items(self, value: T) -> Sequence[T] | None:
        """The items of an array; None: it is no array."""
        ...

    def plain(self, value: T) -> object:
        """The value without a type; only for short values."""
        ...

    def size(self, value: T) -> int:
        """The number of bytes to read to check a value."""
        ...


class JsonInput:
    """JSON whose parts are decoded only as far as needed.

    Args:
        hook: Decodes the types that msgspec does not know.
    """

    def __init__(self, hook: Hook | None = None) -> None:
        self._hook = hook

    def check(self, value: Json, kind: Any) -> Exception | None:
        """See `Input.check`."""
        try:
            msgspec.json.decode(value, type=kind, dec_hook=self._hook)
        except _BROKEN as error:
            return error
        return None

    def check_name(self, name: str, kind: Any) -> Exception | None:
        """See `Input.check_name`."""
        return self.check(msgspec.json.encode({name: None}), dict[kind, None])

    def fields(self, value: Json) -> Mapping[str, Json] | None:
        """See `Input.fields`."""
        try:
            return msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        except _BROKEN:
            return None

    def items(self, value: Json) -> Sequence[Json] | None:
        """See `Input.items`."""
        try:
            return msgspec.json.decode(value, type=list[msgspec.Raw])
        except _BROKEN:
            return None

    def plain(self, value: Json) -> object:
        """See `Input.plain`."""
        try:
            return msgspec.json.decode(value)
        except _BROKEN:
            return None

    def size(self, value: Json) -> int:
        """See `Input.size`."""
        return len(value) if isinstance(value, str) else len(memoryview(value))


class ValuesInput:
    """Text values of a query string, a form or headers, which are converted.

    Args:
        hook: Decodes the types that msgspec does not know.
    """

    def __init__(self, hook: Hook | None = None) -> None:
        self._hook = hook

    def check(self, value: object, kind: Any) -> Exception | None:
        """See `Input.check`."""
        try:
            msgspec.convert(value, kind, strict=False, str_keys=True, dec_hook=self._hook)
        except _BROKEN as error:
            return error
        return None

    def check_name(self, name: str, kind: Any) -> Exception | None:
        """See `Input.check_name`."""
        return self.check({name: None}, dict[kind, None])

    def fields(self, value: object) -> Mapping[str, object] | None:
        """See `Input.fields`."""
        return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None

    def items(self, value: object) -> Sequence[object] | None:
        """See `Input.items`."""
        return cast("Sequence[object]", value) if isinstance(value, list | tuple) else None

    def plain(self, value: object) -> object:
        """See `Input.plain`."""
        return value

    def size(self, value: object) -> int:
        """See `Input.size`."""
        return len(value) if isinstance(value, str | bytes) else 1
