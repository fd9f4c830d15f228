"""The constraints of values: whether a reader accepts all that a writer may write."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .shapes import ListOf, MapOf, Number, Plain

__all__ = ["tightened"]


def tightened(writer: Plain | ListOf | MapOf, reader: Plain | ListOf | MapOf) -> Iterator[str]:
    """The constraints of a reader that values of a writer may not meet, by name."""
    if (reader.min_length or 0) > (writer.min_length or 0):
        yield f"a minimum length of {reader.min_length}"
    if _most(reader.max_length) < _most(writer.max_length):
        yield f"a maximum length of {reader.max_length}"
    if isinstance(writer, Plain) and isinstance(reader, Plain):
        yield from _of_plain(writer, reader)


def _of_plain(writer: Plain, reader: Plain) -> Iterator[str]:
    if _lowest(reader) > _lowest(writer):
        yield f"a minimum of {_shown(reader.least, reader.above, 'more than')}"
    if _highest(reader) < _highest(writer):
        yield f"a maximum of {_shown(reader.most, reader.below, 'less than')}"
    step = reader.multiple_of
    if step is not None and (writer.multiple_of is None or writer.multiple_of % step != 0):
        yield f"multiples of {step} only"
    if reader.pattern is not None and reader.pattern != writer.pattern:
        yield f"the pattern {reader.pattern}"
    if reader.has_zone is not None and reader.has_zone != writer.has_zone:
        yield f"{'a' if reader.has_zone else 'no'} time zone"


def _most(length: int | None) -> float:
    return math.inf if length is None else length


def _lowest(plain: Plain) -> tuple[Number, bool]:
    """The lower bound, and whether it is excluded; the bounds of integers are included."""
    bound, is_excluded = (plain.least, False) if plain.above is None else (plain.above, True)
    if bound is None:
        return -math.inf, False
    return (math.floor(bound) + 1, False) if is_excluded and plain.type == "int" else (bound, is_excluded)


def _highest(plain: Plain) -> tuple[Number, bool]:
    """The upper bound, and whether it is included."""
    bound, is_included = (plain.most, True) if plain.below is None else (plain.below, False)
    if bound is None:
        return math.inf, True
    return (math.ceil(bound) - 1, True) if not is_included and plain.type == "int" else (bound, is_included)


def _shown(included: Number | None, excluded: Number | None, word: str) -> str:
    return f"{included}" if excluded is None else f"{word} {excluded}"
