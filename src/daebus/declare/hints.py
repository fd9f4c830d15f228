"""Resolves the annotations of a handler; an error for an unresolved one includes its probable cause."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from daebus.errors import WiringError
from daebus.mistakes.places import Place, place_of, unwrap
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.sources import line_of_typing_import, span_of_line
from daebus.mistakes.suggestions import did_you_mean

__all__ = ["UNRESOLVED", "resolve_hints"]

UNRESOLVED = (NameError, AttributeError, TypeError, SyntaxError)
"""The exceptions that resolving a wrong annotation can raise."""

Function = Callable[..., object]
Namespace = Mapping[str, object]


def resolve_hints(function: Function, namespace: Namespace | None) -> dict[str, object]:
    """The annotations of a function as types.

    Args:
        function: The function.
        namespace: Local names that its annotations may mean, where it is defined inside a function.

    Raises:
        WiringError: Annotations cannot be resolved; the error lists all of them.
    """
    try:
        return _hints(function, namespace)
    except UNRESOLVED as error:
        problems = [_problem(function, namespace, *found) for found in _unresolved(function, namespace)]
        raise WiringError(*problems or [_problem(function, namespace, None, None, error)]) from error


def _hints(function: Function, namespace: Namespace | None) -> dict[str, object]:
    return typing.get_type_hints(function, localns=None if namespace is None else dict(namespace), include_extras=True)


def _unresolved(function: Function, namespace: Namespace | None) -> Iterator[tuple[str, object, Exception]]:
    """Each parameter, or ``return``, whose annotation cannot be resolved, with the annotation and the error."""

    def alone() -> None: ...

    # Where the function was defined, also if another function wraps it.
    alone.__dict__["__wrapped__"] = unwrap(function)
    for name, annotation in inspect.get_annotations(function).items():
        alone.__annotations__ = {name: annotation}
        try:
            _hints(alone, namespace)
        except UNRESOLVED as error:
            yield name, annotation, error


def _problem(
    function: Function, namespace: Namespace | None, part: str | None, annotation: object, error: Exception
) -> WiringProblem:
    found, remedy = f"the annotation cannot be resolved: {error}", "correct it"
    notes: list[Note] = []
    if isinstance(error, NameError) and error.name:
        found, remedy, notes = _unknown_name(function, namespace, error.name)
    shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    subject = function.__name__
    if part == "return":
        subject = f"{subject} -> {shown}"
    elif part is not None:
        subject = f"{subject}({part}: {shown})"
    where = place_of(function, part)
    return WiringProblem(where, subject, found, remedy, code="unresolved-annotation", parameter=part, notes=notes)


def _unknown_name(function: Function, namespace: Namespace | None, name: str) -> tuple[str, str, list[Note]]:
    code = getattr(unwrap(function), "__code__", None)
    path = "" if code is None else str(code.co_filename)
    line = line_of_typing_import(path, name)
    if line is not None:
        found = f"{name!r} is imported only for type checkers, but daebus needs it at run time"
        note = Note("imported here", Place(path, line, partial(span_of_line, path, line)))
        return found, "move the import out of `if TYPE_CHECKING:`", [note]
    known = {**getattr(unwrap(function), "__globals__", {}), **(namespace or {})}
    public = [one for one in known if not one.startswith("_")]
    remedy = did_you_mean(name, public, "import it, or define it, in the handler's module")
    return f"{name!r} is not defined in the handler's module", remedy, []
