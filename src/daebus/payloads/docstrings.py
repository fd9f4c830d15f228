"""The sections of a docstring in which attributes or arguments are described, as Google's style has them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

__all__ = ["split_docstring"]

_SECTION = re.compile(r"^(?:Attributes|Args|Arguments|Fields):[ \t]*\n((?:[ \t]+.*(?:\n|$)|[ \t]*\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+)(?: \([^)]*\))?:\s*(.*(?:\n[ \t]+.*)*)", re.MULTILINE)


def split_docstring(text: str) -> tuple[str, Mapping[str, str]]:
    """The text of a docstring without its sections about attributes and arguments, and these by their names."""
    clean = inspect.cleandoc(text)
    described: dict[str, str] = {}
    for section in _SECTION.findall(clean):
        for name, about in _ENTRY.findall(inspect.cleandoc(f"\n{section}")):
            described[name] = " ".join(about.split())
    return re.sub(r"\n{3,}", "\n\n", _SECTION.sub("", clean)).strip(), described
