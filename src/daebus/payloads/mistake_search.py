"""The search for all mistakes of an input that could not be decoded, because msgspec reports only the first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec

from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import closest

from .inputs import Input
from .mistakes import PAYLOAD, Mistakes, extend_path
from .parts import Array, Mapped, Object, members_of, shape_of

__all__ = ["find_mistakes", "missing"]

_MOST_CHECKS = 2_000
_MOST_BYTES = 8 << 20
_MOST_DEPTH = 24
_LONGEST_NAME = 64

_WITH_PATH = re.compile(r"^(?P<text>.*?) - at (?:`key` in )?`\$(?P<path>[^`]*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]*)`$")
_EXPECTED = re.compile(r"^Expected (?P<types>`[^`]*`)")
_FIRST_INDEX = re.compile(r"^\[(\d+)\]")

T = TypeVar("T")


def find_mistakes(
    form: Input[T], value: T, kind: object, error: Exception, *, place: str = PAYLOAD, path: str = "$"
) -> Mistakes:
    """Find all mistakes of an input that could not be decoded.

    Because input may be hostile, the search ends after 20 mistakes, 2,000 values or 8 MiB, and goes 24 levels deep.

    Args:
        form: Splits the input into parts.
        value: The input.
        kind: The type that was expected.
        error: Why the input could not be decoded as that type.
        place: Where the input is from, such as ``body``.
        path: The name of the input in paths; empty if its fields have no prefix.
    """
    search = _Search(form, place)
    try:
        search.explain(value, kind, error, path, 0)
    except Exception:  # a type whose parts are unknown: the sender gets the first mistake nevertheless
        search = _Search(form, place)
        search.tell(path, error)
    return search.mistakes


class _Search(Generic[T]):
    """One search, and its remaining budget."""

    def __init__(self, form: Input[T], place: str) -> None:
        self._form = form
        self._place = place
        self._checks = _MOST_CHECKS
        self._bytes = _MOST_BYTES
        self.mistakes: Mistakes = Mistakes([])

    def explain(self, value: T, kind: Any, error: Exception, path: str, depth: int) -> None:
        """Report what is wrong with a value: its parts, or the value itself if they are right or unknown."""
        before = len(self.mistakes.found)
        if depth < _MOST_DEPTH:
            members, metas = members_of(kind)
            self._look_inside(value, members, metas, error, path, depth)
        if len(self.mistakes.found) == before:
            self.tell(path, error)

    def tell(self, path: str, error: Exception) -> None:
        """Add the mistake that an error reports."""
        parts = getattr(error, "errors", None)
        if isinstance(parts, list):  # of pydantic, which reports all mistakes itself
            for part in cast("Sequence[Mapping[str, Any]]", parts):
                at = path
                for name in part["loc"]:
                    at = extend_path(at, name)
                self.mistakes.add(self._place, at, str(part["msg"]))
                if self.mistakes.is_cut:  # there may be a hundred thousand
                    return
            return
        text, found = str(error), _WITH_PATH.match(str(error))
        if found is not None:
            text, path = found["text"], path + found["path"]
        missing = _MISSING.match(text)
        if missing is not None:
            text, path = "Missing", extend_path(path, missing["name"])
        self.mistakes.add(self._place, path, text)

    def _check(self, value: T, kind: Any, path: str, depth: int) -> None:
        """Check a part, and report its mistakes."""
        self._checks -= 1
        self._bytes -= self._form.size(value)
        if self._checks < 0 or self._bytes < 0 or self.mistakes.is_full:
            self.mistakes.is_cut = True
            return
        error = self._form.check(value, kind)
        if error is not None:
            self.explain(value, kind, error, path, depth + 1)

    def _look_inside(
        self, value: T, members: Sequence[Any], metas: Sequence[msgspec.Meta], error: Exception, path: str, depth: int
    ) -> None:
        shapes = [shape for member in members if (shape := shape_of(member)) is not None]
        objects = [shape for shape in shapes if not isinstance(shape, Array)]
        arrays = [shape for shape in shapes if isinstance(shape, Array)]
        if objects and (fields := self._form.fields(value)) is not None:
            chosen = self._choose_object(objects, fields)
            if isinstance(chosen, Object):
                self._look_at_fields(fields, chosen, path, depth)
            elif chosen is not None:
                self._look_at_names(fields, chosen, path, depth)
            self._check_length(value, dict[str, Any], metas, path)
        elif arrays and (items := self._form.items(value)) is not None:
            chosen_array = self._choose_array(arrays, items)
            if chosen_array is not None:
                self._look_at_items(items, chosen_array, error, path, depth)
            self._check_length(value, list[Any], metas, path)

    def _choose_object(self, objects: Sequence[Object | Mapped], fields: Mapping[str, T]) -> Object | Mapped | None:
        """The object of a union that is meant, by its tag; None: the tag is wrong, and nothing else can be checked."""
        for shape in objects:
            if isinstance(shape, Mapped) or shape.tag_field is None or shape.tag is None:
                return shape
            if shape.tag_field not in fields:
                if len(objects) == 1:
                    return shape
            elif self._form.plain(fields[shape.tag_field]) == shape.tag:
                return shape
        return None

    def _choose_array(self, arrays: Sequence[Array], items: Sequence[T]) -> Array | None:
        for shape in arrays:
            if shape.tag is None or (items and self._form.plain(items[0]) == shape.tag):
                return shape
        return None

    def _look_at_fields(self, fields: Mapping[str, T], shape: Object, path: str, depth: int) -> None:
        for name, field in shape.fields.items():
            if name in fields:
                self._check(fields[name], field.kind, extend_path(path, name), depth)
            elif field.is_required:
                self.mistakes.add(self._place, extend_path(path, name), missing(field.kind))
        if shape.is_closed:
            for name in fields.keys() - shape.fields.keys() - {shape.tag_field}:
                self.mistakes.add(self._place, extend_path(path, name), _unknown(name, shape, fields))
                if self.mistakes.is_cut:
                    return

    def _look_at_names(self, fields: Mapping[str, T], shape: Mapped, path: str, depth: int) -> None:
        is_text = shape.name_kind in (str, Any)
        for name, value in fields.items():
            at = extend_path(path, name)
            error = None if is_text else self._form.check_name(name, shape.name_kind)
            if error is not None:
                found = _WITH_PATH.match(str(error))
                self.mistakes.add(self._place, at, f"Invalid name: {found['text'] if found else error}")
            self._check(value, shape.value_kind, at, depth)
            if self.mistakes.is_cut:
                return

    def _look_at_items(self, items: Sequence[T], shape: Array, error: Exception, path: str, depth: int) -> None:
        kinds = shape.item_kinds
        found = _WITH_PATH.match(str(error))
        first = _FIRST_INDEX.match(found["path"]) if found else None
        start = int(first[1]) if first and kinds is None else 0  # the values before it are right
        for index in range(start, len(items) if kinds is None else min(len(items), len(kinds))):
            kind = shape.item_kind if kinds is None else kinds[index]
            self._check(items[index], kind, extend_path(path, index), depth)
            if self.mistakes.is_cut:
                return

    def _check_length(self, value: T, kind: Any, metas: Sequence[msgspec.Meta], path: str) -> None:
        """Check for too few or too many parts, which msgspec does not report if one of the parts is wrong."""
        bounds = [meta for meta in metas if meta.min_length is not None or meta.max_length is not None]
        if not bounds or self.mistakes.is_cut:
            return
        lengths = [msgspec.Meta(min_length=meta.min_length, max_length=meta.max_length) for meta in bounds]
        annotated = cast("Any", Annotated)
        self._check(value, annotated[(kind, *lengths)], path, _MOST_DEPTH)


def missing(kind: Any) -> str:
    """The mistake for a missing value of a type."""
    try:
        msgspec.convert(_Nothing(), kind)
    except msgspec.ValidationError as error:  # it names the type as in all other messages
        found = _EXPECTED.match(str(error))
        return f"Missing, expected {found['types'] if found else f'`{show_type(kind)}`'}"
    return "Missing"


class _Nothing:
    """A type that no input is expected to have."""


def _unknown(name: str, shape: Object, fields: Mapping[str, object]) -> str:
    spare = [known for known in shape.fields if known not in fields]
    close = closest(name, spare) if len(name) <= _LONGEST_NAME else None
    return "Unknown field" if close is None else f"Unknown field; did you mean `{close}`?"
