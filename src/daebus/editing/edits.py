"""Edits of files, and texts with edits applied."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["Edit", "apply_edits"]


class Edit(msgspec.Struct, frozen=True):
    """A piece of a file, from `start` to before `end`, counted in characters, and the text that replaces it."""

    path: str
    start: int
    end: int
    text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text of a file after edits of it, none of which overlap."""
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text
