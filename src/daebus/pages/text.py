"""Text as HTML: what stands in descriptions, and values."""

from __future__ import annotations

import re
from html import escape

import msgspec

__all__ = ["anchor", "inline", "paragraphs", "value"]

_CODE = re.compile(r"(`+)(.+?)\1")


def inline(text: str) -> str:
    """A line of text: what stands in backquotes is code."""
    return _CODE.sub(r"<code>\2</code>", escape(text))


def paragraphs(text: str) -> str:
    """A description: paragraphs, and lists whose lines begin with a dash."""
    return "".join(map(_block, re.split(r"\n\s*\n", text.strip()))) if text.strip() else ""


def _block(block: str) -> str:
    if not re.match(r"[-*] ", block):
        return f"<p>{inline(block)}</p>"
    items = re.split(r"\n(?=[-*] )", block)
    return f"<ul>{''.join(f'<li>{inline(item[2:])}' for item in items)}</ul>"


def value(given: object) -> str:
    """A value as code, in one line."""
    return f"<code>{escape(msgspec.json.encode(given).decode())}</code>"


def anchor(name: str) -> str:
    """The id of the schema of a name."""
    return "schema-" + re.sub(r"[^\w.-]", "_", name)
