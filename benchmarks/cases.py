"""What is measured: a `Case` is one piece of work, done by several peers; its rounds alternate between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = ["BEFORE", "Case", "Goal", "Measure", "PeerError", "Result", "Row", "Sample", "run_case"]

BEFORE = "daebus before"
"""The first words of the peers that are daebus as it was at an earlier commit."""


class PeerError(Exception):
    """A peer cannot do its work; the text says why. The others go on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement.

    Attributes:
        value: In the unit of the case.
        failed: How many operations failed.
        cpu: Microseconds of CPU that an operation took in the server, or in a service of the bus and its driver;
            None: that is not measured.
    """

    value: float
    failed: int = 0
    cpu: float | None = None


Measure = Callable[[float], Sample]
"""Works for some seconds and says what came out. May raise `PeerError`."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to be: the ratio, or with `most_more` the difference."""

    at_least: float | None = None
    at_most: float | None = None
    most_more: float | None = None

    def __str__(self) -> str:
        if self.most_more is not None:
            return f"≤ {self.most_more:g} more"
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    def holds(self, value: float) -> bool:
        """Whether it is reached."""
        most = self.at_most if self.most_more is None else self.most_more
        return (self.at_least is None or value >= self.at_least) and (most is None or value <= most)


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of work.

    Attributes:
        name: What is done.
        unit: Of its values.
        peers: Who does it, and how it is measured.
        subject: The peer whose value is divided by that of each other one.
        lower_is_better: Whether a smaller value is the better one.
        goals: Of the subject's value divided by that of a peer, by peer; under the subject's own name, of its value.
        missing: Peers that cannot take part, and why.
        rounds: How many rounds, where it is not for the runner to say.
        charted: Whether it is drawn in the chart.
    """

    name: str
    unit: str
    peers: Mapping[str, Measure]
    subject: str = "daebus"
    lower_is_better: bool = False
    goals: Mapping[str, Goal] = field(default_factory=dict[str, Goal])
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    rounds: int | None = None
    charted: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What one peer reached.

    Attributes:
        peer: Its name.
        values: Of each round.
        ratios: Of each round: the subject's value divided by this one.
        cpu: As in `Sample`, of each round.
        cpu_ratios: Of each round: the subject's CPU divided by this one.
        failed: How many operations failed.
        problem: Why there are no values.
    """

    peer: str
    values: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    cpu_ratios: tuple[float, ...] = ()
    failed: int = 0
    problem: str | None = None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def ratio(self) -> float:
        """The median of the ratios, each of two measurements that were made one after the other."""
        return median(self.ratios)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart: half of the range between the extremes, as a part of the median."""
        return (max(self.values) - min(self.values)) / 2 / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what came out, the subject first."""

    case: Case
    rows: tuple[Row, ...]

    def figure(self, row: Row) -> float | None:
        """What a goal for this row is about; None: it was not measured."""
        if not row.values:
            return None
        if row.peer == self.case.subject:
            return row.value
        goal = self.case.goals.get(row.peer)
        if goal is not None and goal.most_more is not None:
            ours = self.rows[0]
            return ours.value - row.value if ours.values else None
        return row.ratio if row.ratios else None

    def verdict(self, row: Row) -> bool | None:
        """Whether the row's goal is reached; None where there is no goal, or no figure."""
        goal, figure = self.case.goals.get(row.peer), self.figure(row)
        return None if goal is None or figure is None else goal.holds(figure)


def run_case(case: Case, *, rounds: int, seconds: float) -> Result:
    """Measure each peer in each round, beginning with another one each time."""
    samples: dict[str, list[Sample]] = {name: [] for name in case.peers}
    problems = dict(case.missing)
    order = deque(case.peers)
    for _ in range(case.rounds or rounds):
        for name in order:
            if name in problems:
                continue
            try:
                samples[name].append(case.peers[name](seconds))
            except PeerError as error:
                problems[name] = str(error)
        order.rotate(-1)
    ours = [] if case.subject in problems else samples[case.subject]
    names = dict.fromkeys((case.subject, *case.peers, *case.missing))
    return Result(case, tuple(_row(name, samples.get(name, []), ours, problems.get(name)) for name in names))


def _row(name: str, samples: Sequence[Sample], ours: Sequence[Sample], problem: str | None) -> Row:
    if problem is not None:
        return Row(name, problem=problem)
    pairs = list(zip(ours, samples, strict=False))
    return Row(
        name,
        tuple(sample.value for sample in samples),
        tuple(our.value / its.value for our, its in pairs if its.value),
        tuple(sample.cpu for sample in samples if sample.cpu),
        tuple(our.cpu / its.cpu for our, its in pairs if our.cpu and its.cpu),
        sum(sample.failed for sample in samples),
    )
