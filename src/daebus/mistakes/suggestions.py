"""Suggestions for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["closest", "did_you_mean", "ended"]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None: no name is similar."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A question with the known name that was probably meant; `otherwise` if no name is similar."""
    close = closest(name, known)
    return otherwise if close is None else f"did you mean {close!r}?"


def ended(sentence: str) -> str:
    """The sentence with a full stop, unless it already ends with a punctuation mark."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."
