"""Code actions: the help of a mistake as an edit; the handler of a contract; the test of a handler."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from lsprotocol import types

from daebus.checking.mistake import Mistake
from daebus.editing.fixes import Fix, find_fixes
from daebus.editing.index import Index
from daebus.lsp.texts import Texts

from .creating import creations

__all__ = ["code_actions"]


def code_actions(
    index: Index, texts: Texts, path: str, shown: types.Range, diagnostics: Iterable[types.Diagnostic]
) -> list[types.CodeAction]:
    """The actions for a range: a fix of each mistake in it, then what can be created."""
    found: list[types.CodeAction] = []
    for diagnostic in diagnostics:
        if diagnostic.source != "daebus" or diagnostic.data is None:
            continue
        mistake = msgspec.convert(diagnostic.data, Mistake)
        start, end = (
            index.page(path).offset(*texts.position(path, at)) for at in (diagnostic.range.start, diagnostic.range.end)
        )
        for fix in find_fixes(index, path, (start, end), mistake):
            found.append(_action(index, texts, fix, diagnostic, is_preferred=not found))
    return [*found, *creations(index, texts, path, shown)]


def _action(
    index: Index, texts: Texts, fix: Fix, diagnostic: types.Diagnostic, *, is_preferred: bool
) -> types.CodeAction:
    changes: dict[str, list[types.TextEdit]] = {}
    for edit in fix.edits:
        changes.setdefault(texts.uri(edit.path), []).append(texts.edit(index.page(edit.path), edit))
    return types.CodeAction(
        fix.title,
        types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic],
        is_preferred=is_preferred,
        edit=types.WorkspaceEdit(changes=changes),
    )
