"""``docs/mistakes.md`` says what the catalogue and the results of the peers say."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mistakes.catalogue import CASES, all_cases
from tests.mistakes.table import PAGE, PEERS, RESULTS, WHEN, page

FOUND = json.loads(RESULTS.read_text())


def names(folder: Path) -> set[str]:
    return {f"{case.group}/{case.name}" for case in all_cases(folder)}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(FOUND), "run python -m tests.mistakes.table"


def test_the_results_are_those_of_the_peers_programs() -> None:
    assert set(FOUND["peers"]) == set(PEERS)
    for peer, told in FOUND["peers"].items():
        assert set(told) == names(RESULTS.parent / peer)
        assert set(told) <= names(CASES)
        assert {one["when"] for one in told.values()} <= set(WHEN)
