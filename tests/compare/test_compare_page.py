"""``docs/compatibility.md`` says what the pairs and the results of other tools say."""

from __future__ import annotations

import json

from tests.compare.pairs import PAIRS
from tests.compare.table import NOTES, PAGE, RESULTS, disagreements, page

FOUND = json.loads(RESULTS.read_text())


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(FOUND), "run python -m tests.compare.table"


def test_the_results_are_those_of_the_pairs() -> None:
    assert [(one["pair"], one["direction"]) for one in FOUND["verdicts"]] == [
        (one.name, one.direction) for one in PAIRS
    ]


def test_each_disagreement_has_its_note() -> None:
    assert set(NOTES) == set(disagreements(FOUND))
