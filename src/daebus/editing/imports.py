"""The edits by which a file imports a name."""

from __future__ import annotations

import re

from daebus.checking.snapshot import Member

from .edits import Edit
from .syntax import Page

__all__ = ["import_edits"]

_IMPORT = re.compile(r"^(?:from|import)[ \t][^\n]*", re.MULTILINE)


def import_edits(path: str, page: Page, member: Member, module_file: str | None) -> list[Edit]:
    """The edits that import a type, none if its name is known in the file, or if no import is needed.

    Args:
        path: The file that needs the name.
        page: Its text.
        member: The type.
        module_file: The file of the module that defines it; None: it is not known.
    """
    name, module = member.name, member.module
    if name is None or module is None or module_file == path or name in page.top_names:
        return []
    for found in page.from_imports:
        if found["module"] == module and "*" not in found["names"]:
            inner = found["inner"]
            if inner is None:
                return [_insertion(path, found.start() + len(found[0].rstrip()), f", {name}")]
            end = found.start("inner") + len(inner.rstrip())
            comma = "" if inner.rstrip().endswith(",") else ","
            line = f"\n    {name}," if "\n" in inner else f" {name}"
            return [_insertion(path, end, comma + line)]
    return [_insertion(path, *_new_line(page, f"from {module} import {name}\n"))]


def _new_line(page: Page, line: str) -> tuple[int, str]:
    """Where a new import goes: behind the last one, otherwise behind the documentation of the module."""
    text, last = page.text, max((found.end() for found in page.from_imports), default=0)
    for found in _IMPORT.finditer(text):
        last = max(last, found.end())
    if last == 0:
        doc = re.match(r"\s*(?:\"\"\".*?\"\"\"|'''.*?''')[^\n]*", text, re.DOTALL)
        last = doc.end() if doc else 0
        line = f"\n{line}" if doc else line
    end = text.find("\n", last) + 1 if last else 0
    return (len(text), f"\n{line}") if last and end == 0 else (end, line)


def _insertion(path: str, offset: int, text: str) -> Edit:
    return Edit(path, offset, offset, text)
