"""The simulation is sensitive: it finds that a mend is missing, and the mends stand where the mutations say."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mutations import MUTATIONS, Mutation, mutated, searched
from .trial import FAULTS

_KNOWN = MUTATIONS["one suspect"]


def test_a_mend_that_is_taken_out_is_found() -> None:
    with mutated(_KNOWN) as environment:
        found, told = searched(_KNOWN, environment, 60, "--first", "2", "--count", "20")
    assert found, told
    seed = told.partition(":")[0].removeprefix("seed ")
    with mutated(None) as environment:
        found, told = searched(_KNOWN, environment, 60, "--first", seed, "--count", "1")
    assert not found, told


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_each_mend_stands_where_its_mutation_takes_it_out(mutation: Mutation) -> None:
    assert mutation.rounds or set(mutation.faults) <= set(FAULTS)
    assert bool(mutation.faults) != bool(mutation.test)
    assert not mutation.test or Path(mutation.test.partition("::")[0]).exists()
    with mutated(mutation):
        pass
