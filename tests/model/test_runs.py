"""The runs fit the models, and the checker's output is read; the searches themselves are `nox -s model`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.model.checker import read_output, specification
from tests.model.runs import LARGE, RUNS, Run

HERE = Path(__file__).parent
FOUND = """
The following is the error trace for the error:

\tAssertion failed: /tmp/x/lease.m:14.7-9: it is robbed

Startstate 1 fired.
left[0]:6
----------

Rule "a tick passes" fired.
left[0]:5
hangs:true
----------

Rule "dies", i: 1, e: 0 fired.
----------

End of the error trace.

\t7 states, 10 rules fired in 0s.
"""


@pytest.mark.parametrize("run", [*RUNS, *LARGE], ids=lambda run: run.title)
def test_a_run_uses_constants_and_properties_of_its_model(run: Run) -> None:
    text = specification(run.model, run.constants)
    for name, value in run.constants.items():
        assert f"\n  {name}: {value};" in text
    assert run.finds is None or f'"{run.finds}"' in text


def test_an_unknown_constant_is_refused() -> None:
    with pytest.raises(KeyError, match=r"lease\.m has no constant Nobody"):
        specification("lease", {"Nobody": 1})


def test_each_mistake_of_the_models_is_run_and_explained() -> None:
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for model in {run.model for run in RUNS}:
        text = specification(model, {})
        listed = text.partition("  Right: 0;\n")[2].partition("\n\n")[0]
        mistakes = dict(re.findall(r"^  (\w+): (\d);", listed, re.MULTILINE))
        searched = {str(run.constants["Variant"]) for run in RUNS if run.model == model and "Variant" in run.constants}
        assert set(mistakes.values()) == searched
        assert [name for name in mistakes if f"`{name}`" not in page] == []


def test_a_violation_is_read_with_its_steps() -> None:
    found = read_output(FOUND, 1.5)
    assert (found.problem, found.states) == ("it is robbed", 7)
    assert found.trace == ["a tick passes  left[0]:5 hangs:true", "dies (i: 1, e: 0)"]


def test_a_complete_search_is_read() -> None:
    found = read_output("Status:\n\n\tNo error found.\n\n\t12 states, 30 rules fired in 0s.\n", 0.1)
    assert (found.problem, found.trace, found.states) == (None, [], 12)


def test_a_search_that_broke_off_is_told() -> None:
    with pytest.raises(RuntimeError, match="did not end"):
        read_output("\t 7520000 states explored in 163s", 163.0)
