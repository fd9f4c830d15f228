"""Simulated services: the same seed gives the same course of events, and no seed breaks a promise."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from .trial import server_path, try_seed

_SEEDS, _CHUNKS = 200, 8


@pytest.fixture(scope="module", autouse=True)
def light_collections() -> Iterator[None]:
    """Each trial collects its garbage: what all the other modules have made is left out of that."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def test_a_seed_that_is_run_again_takes_the_same_course() -> None:
    first, again, other = try_seed(7, server_path()), try_seed(7, server_path()), try_seed(8, server_path())
    assert first == again
    assert first.trace != other.trace
    assert first.jobs > 0


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_no_seed_breaks_a_promise(chunk: int) -> None:
    for seed in range(chunk, _SEEDS, _CHUNKS):
        result = try_seed(seed, server_path())
        assert result.problems == [], f"again: python -m tests.simulation --seed {seed}; faults: {result.faults}"
