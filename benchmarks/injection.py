"""Injection of two singletons and one factory into an async handler, in one process."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from .bench import Bench
from .cases import Case, Goal, Measure, Sample
from .processes import Driver

__all__ = ["injection_cases"]

_WAYS = {
    "daebus": "daebus",
    "closure by hand, same providers": "closure",
    "daebus, all of dispatch": "daebus_dispatch",
    "dependency-injector @inject": "dependency_injector",
    "dishka": "dishka",
    "FastDepends": "fast_depends",
}
_GOALS = {"closure by hand, same providers": Goal(at_most=1.3), "dishka": Goal(at_most=1 / 4)}


@contextmanager
def injection_cases(bench: Bench) -> Generator[list[Case]]:
    """Start the process that has all of them, and give the case."""
    with bench.driver("injection", "injection_all.py") as driver:
        driver.wait_until_ready()
        peers = {name: _measure(driver, way) for name, way in _WAYS.items()}
        yield [
            Case(
                "injection of 2 singletons and 1 factory", "ns", peers, lower_is_better=True, goals=_GOALS, charted=True
            )
        ]


def _measure(driver: Driver, way: str) -> Measure:
    def measure(seconds: float) -> Sample:
        driver.ask({"operation": way, "seconds": seconds / 20})
        return Sample(driver.ask({"operation": way, "seconds": seconds / 4})["ns"])

    return measure
