"""Names, literals and comments of TypeScript."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

__all__ = ["camel", "comment", "literal", "pascal", "property_name", "unique"]

_WORD = re.compile(r"[A-Za-z0-9]+")
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_WIDTH = 116


def pascal(text: str) -> str:
    """A name as one of a type: ``get_user`` becomes ``GetUser``."""
    made = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(text))
    return f"_{made}" if made[:1].isdigit() or not made else made


def camel(text: str) -> str:
    """A name as one of a function: ``get_user`` becomes ``getUser``."""
    made = pascal(text).removeprefix("_")
    made = made[:1].lower() + made[1:]
    return f"_{made}" if made[:1].isdigit() or not made else made


def unique(names: Iterable[str], reserved: Iterable[str] = ()) -> list[str]:
    """The names, each once: a number makes the later ones different."""
    taken, made = set(reserved), list[str]()
    for name in names:
        chosen, number = name, 1
        while chosen in taken:
            number += 1
            chosen = f"{name}{number}"
        taken.add(chosen)
        made.append(chosen)
    return made


def property_name(name: str) -> str:
    """A name as that of a property, in quotes where it needs them."""
    return name if _IDENTIFIER.fullmatch(name) else literal(name)


def literal(value: object) -> str:
    """A value as a literal, also in a type."""
    return msgspec.json.encode(value).decode()


def comment(paragraphs: Sequence[str], indent: str = "") -> str:
    """A TSDoc comment, with a line break at its end; empty if there is nothing to say."""
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.strip():
            lines += [*([""] if lines else []), *paragraph.strip().replace("*/", "*\\/").splitlines()]
    if not lines:
        return ""
    if len(lines) == 1 and len(indent) + len(lines[0]) + 7 <= _WIDTH:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"
