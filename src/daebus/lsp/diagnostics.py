"""From the mistakes of apps to the diagnostics of files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec
from lsprotocol import types

from daebus.checking.mistake import Mistake, Remark

from .checks import App
from .texts import Texts

__all__ = ["diagnostics_of"]


def diagnostics_of(apps: Iterable[App], texts: Texts) -> dict[str, list[types.Diagnostic]]:
    """The diagnostics of each file; a mistake that several apps have is shown once."""
    found: dict[str, dict[tuple[object, ...], types.Diagnostic]] = {}
    for app in apps:
        for path, mistake, severity in _mistakes(app):
            key = (mistake.code, mistake.message, mistake.line, mistake.column)
            found.setdefault(path, {})[key] = _diagnostic(app, texts, path, mistake, severity)
    return {path: list(shown.values()) for path, shown in found.items()}


def _mistakes(app: App) -> Iterator[tuple[str, Mistake, types.DiagnosticSeverity]]:
    if app.failure is not None:
        message = f"The app {app.target.name} could not be checked: {app.failure}"
        yield app.target.source, Mistake("not-checked", message), types.DiagnosticSeverity.Error
    if app.snapshot is not None:
        for mistake in app.snapshot.problems:
            yield _path(app, mistake.file), mistake, types.DiagnosticSeverity.Error
        for mistake in app.snapshot.warnings:
            yield _path(app, mistake.file), mistake, types.DiagnosticSeverity.Warning


def _path(app: App, file: str | None) -> str:
    """The absolute path of a file that is shown relative to the root; without one, the source of the app."""
    path = app.target.source if file is None else os.path.join(app.target.root, file)
    return path if os.path.isfile(path) else app.target.source


def _diagnostic(
    app: App, texts: Texts, path: str, mistake: Mistake, severity: types.DiagnosticSeverity
) -> types.Diagnostic:
    message = _short(mistake.message)
    if mistake.remedy is not None:
        message += f"\nhelp: {mistake.remedy}"
    return types.Diagnostic(
        range=_range(texts, path, mistake),
        severity=severity,
        code=mistake.code,
        source="daebus",
        message=message,
        related_information=[note for remark in mistake.notes if (note := _related(app, texts, remark))],
        data=msgspec.to_builtins(mistake),
    )


def _short(message: str) -> str:
    """A message without the traceback in it: its first line, and its last, which says what was raised."""
    first, *rest = message.rstrip().splitlines()
    return f"{first} {rest[-1].strip()}" if rest else first


def _range(texts: Texts, path: str, mistake: Mistake) -> types.Range:
    line = (mistake.line or 1) - 1
    if mistake.column is None or mistake.end_line is None or mistake.end_column is None:
        lines = texts.lines(path)
        text = lines[line].rstrip() if line < len(lines) else ""
        return texts.range(path, (line, len(text) - len(text.lstrip())), (line, len(text)))
    return texts.range(path, (line, mistake.column - 1), (mistake.end_line - 1, mistake.end_column - 1))


def _related(app: App, texts: Texts, remark: Remark) -> types.DiagnosticRelatedInformation | None:
    if remark.file is None or remark.line is None:
        return None
    path = _path(app, remark.file)
    where = _range(texts, path, Mistake("", "", line=remark.line))
    return types.DiagnosticRelatedInformation(types.Location(texts.uri(path), where), remark.text)
