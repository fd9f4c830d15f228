"""What a run with ``--before`` tells at its end: daebus now divided by daebus before, and what has become worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from .cases import BEFORE, Result, Row

__all__ = ["Change", "changes", "show_changes"]

_WORSE = 1.05


@dataclass(frozen=True, slots=True)
class Change:
    """A row of both.

    Attributes:
        name: Of the case.
        measured: What the ratios are of: "CPU" for each operation, where that was measured; else, and for what is done
            one at a time beside it, as waiting takes no CPU, the unit of the case.
        ratios: Of each round: now divided by before.
        lower_is_better: Whether a smaller ratio is the better one.
        problem: Why there are no ratios.
    """

    name: str
    measured: str
    ratios: tuple[float, ...]
    lower_is_better: bool
    problem: str | None = None

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def spread(self) -> float:
        """Half of the range between the extremes, as a part of the median."""
        return (max(self.ratios) - min(self.ratios)) / 2 / self.ratio

    @property
    def worse(self) -> bool:
        """Whether the median is more than 5 % worse, and by more than the spread."""
        if not self.ratios:
            return False
        cost = self.ratio if self.lower_is_better else 1 / self.ratio
        return cost > max(_WORSE, 1 + self.spread)


def changes(results: Sequence[Result]) -> list[Change]:
    """The rows of both, in the order of the results."""
    rows = ((result, row) for result in results for row in result.rows if row.peer.startswith(BEFORE))
    return [change for result, row in rows for change in _changes(result, row)]


def _changes(result: Result, row: Row) -> Iterator[Change]:
    case = result.case
    problem = row.problem or next((other.problem for other in result.rows if other.peer == case.subject), None)
    if row.cpu_ratios:
        yield Change(case.name, "CPU", row.cpu_ratios, lower_is_better=True)
    if not row.cpu_ratios or case.lower_is_better:
        yield Change(case.name, case.unit, row.ratios, lower_is_better=case.lower_is_better, problem=problem)


def show_changes(results: Sequence[Result]) -> str:
    """Each row of both, and one line with those that are worse."""
    found = changes(results)
    worse = [f"{change.name} ({_figure(change)} of {change.measured})" for change in found if change.worse]
    last = f"{len(worse)} of {len(found)} rows more than 5 % worse, beyond their spread" + _listed(worse)
    unmeasured = [change.name for change in found if not change.ratios]
    if unmeasured:
        last += f"; {len(unmeasured)} not measured" + _listed(unmeasured)
    return "\n".join(["now ÷ before", *(_show(change) for change in found), "", last])


def _show(change: Change) -> str:
    if not change.ratios:
        return f"  {change.name:48}{'—':>8}   {change.problem or 'no figures'}"
    better = "lower is better" if change.lower_is_better else "higher is better"
    row = f"  {change.name:48}{change.ratio:>8.2f}{f'±{change.spread:.0%}':>7}  {change.measured}, {better}"
    return row + ("   WORSE" if change.worse else "")


def _figure(change: Change) -> str:
    return f"{change.ratio:.2f} ±{change.spread:.0%}"


def _listed(names: Sequence[str]) -> str:
    return f": {'; '.join(names)}" if names else ""
