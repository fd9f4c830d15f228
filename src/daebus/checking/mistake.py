"""`Mistake`: a mistake as data, for tools. This module loads nothing of what an app needs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["Mistake", "Remark"]


class Remark(msgspec.Struct, frozen=True):
    """An additional fact about a mistake, and its place."""

    text: str
    file: str | None = None
    line: int | None = None


class Mistake(msgspec.Struct, frozen=True):
    """Something that keeps an app from starting.

    Lines and columns count from 1, and `end_column` is exclusive; all of them are None if there is no source.
    """

    code: str
    message: str
    remedy: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    notes: Sequence[Remark] = ()
