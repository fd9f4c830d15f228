"""The result of a check as data, as ``daebus check --json`` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from daebus.errors import ConfigurationError, DaebusError
from daebus.mistakes.places import place_of_error, show_path
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note, span_of
from daebus.mistakes.sources import Span

from .description import Wiring, describe
from .examination import Examined
from .mistake import Mistake, Remark

__all__ = ["Report", "mistakes_of", "report_on"]


class Report(msgspec.Struct, frozen=True):
    """The result of a check.

    Attributes:
        ok: Whether there are no problems.
        problems: What keeps the app from starting.
        wiring: The wiring; if there are problems, without the handlers that have mistakes of their own, and None if the
            module of the app could not be imported.
        warnings: Probable mistakes.
        unsafe: What is unsafe in production, if the check asks for it.
    """

    ok: bool
    problems: Sequence[Mistake]
    wiring: Wiring | None
    warnings: Sequence[Mistake] = ()
    unsafe: Sequence[Mistake] = ()


def mistakes_of(examined: Examined) -> tuple[list[Mistake], list[Mistake]]:
    """The problems that an examination has found, and its warnings, which count only without problems."""
    problems = [_mistake(problem) for problem in examined.problems]
    if examined.failure is not None:
        problems.append(_failure(examined.failure))
    made = examined.made
    return problems, [] if problems or made is None else [_mistake(warning) for warning in made.warnings]


def report_on(examined: Examined, unsafe: Iterable[WiringProblem] = ()) -> Report:
    """The result of an examination as data.

    Args:
        examined: The examination.
        unsafe: What was found to be unsafe in production.
    """
    problems, warnings = mistakes_of(examined)
    made = examined.made
    wiring = None if made is None else describe(made)
    found = [_mistake(one) for one in unsafe]
    ok = not problems and made is not None
    return Report(ok=ok, problems=problems, wiring=wiring, warnings=warnings, unsafe=found)


def _failure(error: DaebusError) -> Mistake:
    """An error that is not of the wiring, with the user's line that raised it, if there is one."""
    mistake = Mistake("configuration" if isinstance(error, ConfigurationError) else "start-up", str(error))
    place = None if error.__cause__ is None else place_of_error(error.__cause__)
    if place is None:
        return mistake
    return _placed(msgspec.structs.replace(mistake, file=show_path(place.path), line=place.line), place.span())


def _mistake(problem: WiringProblem) -> Mistake:
    notes = [_remark(note) for note in problem.notes]
    mistake = Mistake(problem.code, problem.message, problem.remedy, file=problem.file, line=problem.line, notes=notes)
    return _placed(mistake, problem.span)


def _placed(mistake: Mistake, span: Span | None) -> Mistake:
    """A mistake with its exact place, if its source can be read."""
    if span is None:
        return mistake
    return msgspec.structs.replace(
        mistake,
        file=show_path(span.path),
        line=span.line,
        column=span.column,
        end_line=span.end_line,
        end_column=span.end_column,
    )


def _remark(note: Note) -> Remark:
    span = span_of(note.where)
    return Remark(note.text) if span is None else Remark(note.text, show_path(span.path), span.line)
