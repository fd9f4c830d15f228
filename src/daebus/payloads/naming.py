"""Names in exported documents: made of words, and each given once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count

__all__ = ["capitalized", "numbered", "unique"]

_WORD = re.compile(r"[A-Za-z0-9]+")


def capitalized(text: str) -> str:
    """The words of a text as one, each with a capital letter: ``get_user`` becomes ``GetUser``."""
    return "".join(word[:1].upper() + word[1:] for word in _WORD.findall(text))


def numbered(name: str, form: str = "{}{}") -> Iterator[str]:
    """A name, then the same with the numbers from 2 on.

    Args:
        name: The name.
        form: How a name and a number are written.
    """
    yield name
    yield from (form.format(name, number) for number in count(2))


def unique(names: Iterable[str], reserved: Iterable[str] = ()) -> list[str]:
    """The names, each once: a number makes the later ones different."""
    taken, made = set(reserved), list[str]()
    for name in names:
        chosen = next(each for each in numbered(name) if each not in taken)
        taken.add(chosen)
        made.append(chosen)
    return made
