"""Names, literals and comments of TypeScript."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from daebus.payloads.naming import capitalized

__all__ = ["camel", "comment", "literal", "pascal", "property_name"]

_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_WIDTH = 116


def pascal(text: str) -> str:
    """A name as one of a type: ``get_user`` becomes ``GetUser``."""
    made = capitalized(text)
    return f"_{made}" if made[:1].isdigit() or not made else made


def camel(text: str) -> str:
    """A name as one of a function: ``get_user`` becomes ``getUser``."""
    made = pascal(text).removeprefix("_")
    made = made[:1].lower() + made[1:]
    return f"_{made}" if made[:1].isdigit() or not made else made


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
