"""Injection of two singletons and one factory into an async handler, in one process."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from .bench import Bench
from .cases import BEFORE, Case, Goal, Measure, PeerError, Sample
from .processes import Driver

__all__ = ["injection_cases"]

_DISPATCH = "daebus, all of dispatch"
_WAYS = {
    "daebus": "daebus",
    "closure by hand, same providers": "closure",
    _DISPATCH: "daebus_dispatch",
    "dependency-injector @inject": "dependency_injector",
    "dishka": "dishka",
    "FastDepends": "fast_depends",
}
_GOALS = {"closure by hand, same providers": Goal(at_most=1.3), "dishka": Goal(at_most=1 / 4)}


@contextmanager
def injection_cases(bench: Bench) -> Generator[list[Case]]:
    """Start the process that has all of them, and that of the earlier commit, and give the cases."""
    with ExitStack() as stack:
        driver, why = _start(stack, bench)
        before, why_before = _start(stack, bench.before) if bench.before is not None else (None, "")

        def case(name: str, peers: Sequence[str], goals: Mapping[str, Goal], *, charted: bool = False) -> Case:
            peers = bench.taking_part(peers)
            return Case(
                name,
                "ns",
                {peer: _measure(before if peer.startswith(BEFORE) else driver, peer) for peer in peers},
                subject=peers[0],
                lower_is_better=True,
                goals=goals,
                missing={
                    peer: why_before if peer.startswith(BEFORE) else why
                    for peer in peers
                    if (before if peer.startswith(BEFORE) else driver) is None
                },
                charted=charted,
            )

        cases = [case("injection of 2 singletons and 1 factory", tuple(_WAYS), _GOALS, charted=True)]
        if bench.before is not None:
            cases.append(case("the same, all of dispatch", (_DISPATCH,), {}))
        yield cases


def _start(stack: ExitStack, bench: Bench) -> tuple[Driver | None, str]:
    """The driver, or why there is none."""
    try:
        driver = stack.enter_context(bench.driver("injection", "injection_all.py"))
        driver.wait_until_ready()
    except PeerError as error:
        return None, str(error)
    return driver, ""


def _measure(driver: Driver | None, peer: str) -> Measure:
    way = _WAYS[peer.replace(BEFORE, "daebus")]

    def measure(seconds: float) -> Sample:
        if driver is None:
            raise PeerError("does not run")
        driver.ask({"operation": way, "seconds": seconds / 20})
        return Sample(driver.ask({"operation": way, "seconds": seconds / 4})["ns"])

    return measure
