"""The table of changes says what really happens at run time."""

from __future__ import annotations

import msgspec
import pytest

from .changes import CHANGES, PRELUDE, Change


def thing(source: str) -> type[object]:
    """`Thing` of a source."""
    made: dict[str, object] = {"__name__": "things"}
    exec(compile(PRELUDE + source, "things", "exec", dont_inherit=True), made)
    found = made["Thing"]
    assert isinstance(found, type)
    return found


def test_there_are_at_least_forty() -> None:
    assert len(CHANGES) >= 40
    assert len({(change.side, change.name) for change in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.side}: {change.name}")
def test_it_works_at_run_time_as_the_table_says(change: Change) -> None:
    before, after = thing(change.before), thing(change.after)
    writer, reader = (before, after) if change.side == "sent" else (after, before)
    msgspec.json.decode(change.value, type=writer)
    try:
        msgspec.json.decode(change.value, type=reader)
        works = True
    except msgspec.ValidationError:
        works = False
    assert works is change.works
    assert change.works or change.breaks
