"""Names that nobody knows: the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["closest", "did_you_mean", "ended"]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None: none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A question after the known name that was probably meant; `otherwise` where none is near."""
    close = closest(name, known)
    return otherwise if close is None else f"did you mean {close!r}?"


def ended(sentence: str) -> str:
    """A sentence with its full stop, unless it ends with a mark of its own, as a question does."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."
