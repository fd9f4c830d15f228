"""The rules tell changes that break others from those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from tests.compare.pairs import PAIRS, PRELUDE, Pair
from tests.export.changes import CHANGES
from tests.export.changes import PRELUDE as CLIENTS_PRELUDE
from tests.export.changes import Change as ClientChange

from daebus.compare.changes import Change, Direction
from daebus.compare.reading import ShapeReader
from daebus.compare.rules import Comparison

T = TypeVar("T")


def changes_of(before: object, after: object, direction: Direction, skips_tags_at: str = "") -> Sequence[Change]:
    old, new = ShapeReader(), ShapeReader()
    shapes = old.read(before), new.read(after)
    comparison = Comparison(old.records, new.records, direction, skips_tags_at)
    comparison.compare(*shapes, "it")
    return comparison.changes


def thing(source: str, prelude: str = PRELUDE) -> object:
    names: dict[str, Any] = {"__name__": "things"}
    exec(compile(prelude + source, "things", "exec", dont_inherit=True), names)
    return names["Thing"]


def test_there_are_thirty_of_each() -> None:
    assert [pair.breaks for pair in PAIRS] == [True] * 30 + [False] * 30
    assert len({(pair.name, pair.direction) for pair in PAIRS}) == 60


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.direction}: {pair.name}" for pair in PAIRS])
def test_the_verdict(pair: Pair) -> None:
    found = changes_of(thing(pair.before), thing(pair.after), pair.direction)
    assert any(change.is_breaking for change in found) == pair.breaks, found
    assert any(pair.says in f"{change.place}: {change.change}" for change in found) or (not pair.says and not found)
    for change in found:
        assert bool(change.why) == bool(change.remedy) == change.is_breaking


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.direction}: {pair.name}" for pair in PAIRS])
def test_a_type_that_stays_is_no_change(pair: Pair) -> None:
    for source in (pair.before, pair.after):
        assert changes_of(thing(source), thing(source), pair.direction) == []


class Tree(msgspec.Struct):
    value: int
    children: list[Tree] = []


class NewTree(msgspec.Struct, rename={"kinder": "children"}):
    value: str
    kinder: list[NewTree] = []


def test_a_type_that_contains_itself_is_compared_once() -> None:
    (change,) = changes_of(Tree, NewTree, "received")
    assert (change.place, change.change) == ("it.value", "int became str")


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


def test_the_arguments_of_generic_types_are_compared() -> None:
    assert changes_of(Page[int], Page[int], "given") == []
    (change,) = changes_of(Page[int], Page[str], "given")
    assert (change.place, change.is_breaking) == ("it.items[]", True)


class Added(msgspec.Struct, tag=True):
    id: int


class Removed(msgspec.Struct, tag=True):
    id: int


@pytest.mark.parametrize("direction", ["received", "given"])
def test_listeners_skip_tags_that_they_do_not_know(direction: Direction) -> None:
    before, after = (Added | Removed, Added) if direction == "received" else (Added, Added | Removed)
    (change,) = changes_of(before, after, direction, skips_tags_at="it")
    assert not change.is_breaking
    assert "skip" in change.change
    (change,) = changes_of(before, after, direction)
    assert change.is_breaking


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.side}: {change.name}")
def test_the_verdict_is_what_clients_in_other_languages_see(change: ClientChange) -> None:
    direction: Direction = "received" if change.side == "sent" else "given"
    before, after = (thing(source, CLIENTS_PRELUDE) for source in (change.before, change.after))
    found = changes_of(before, after, direction)
    assert any(one.is_breaking for one in found) == change.breaks, found
