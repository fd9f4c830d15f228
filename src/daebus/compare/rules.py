"""The rules: what a change of a type means for those who send such values, and for those who read them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .changes import Change, Direction
from .fitting import fits_plain, key_of, members_of, show
from .limits import tightened
from .shapes import Choice, Field, ListOf, MapOf, OneOf, Plain, Record, RecordName, Shape, TupleOf

__all__ = ["Comparison"]

_ANYTHING = Plain("anything")

V = TypeVar("V")


@dataclass
class Comparison:
    """Compares types of before with those of now.

    Attributes:
        old: The records of before.
        new: The records of now.
        direction: Whether the service receives the values, or gives them.
        skips_tags_at: The place where readers skip values whose tag they do not know, as listeners do; empty: nowhere.
        as_text: Whether the values are text, as in a path or a query string, which a str reads in any case.
        changes: What was found.
    """

    old: Mapping[str, Record]
    new: Mapping[str, Record]
    direction: Direction
    skips_tags_at: str = ""
    as_text: bool = False
    changes: list[Change] = field(default_factory=list[Change])
    _seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def compare(self, old: Shape, new: Shape, place: str) -> None:
        """Compare a type of before with that of now; `place` is where it stands."""
        writer, reader = self._directed(old, new)
        if _ANYTHING in (reader, writer):
            self._compare_anything(writer, reader, place)
        elif isinstance(writer, OneOf) or isinstance(reader, OneOf):
            self._compare_unions(writer, reader, place)
        else:
            self._compare_single(old, new, place)

    def _compare_anything(self, writer: Shape, reader: Shape, place: str) -> None:
        if reader != _ANYTHING:
            self._misfit(writer, reader, place)
        elif writer != _ANYTHING:
            self._note(place, "any value is accepted now" if self._receives else "the type is known now")

    def _compare_single(self, old: Shape, new: Shape, place: str) -> None:
        match old, new:
            case RecordName(), RecordName():
                self._compare_records(self.old[old.name], self.new[new.name], (old.name, new.name), place)
            case ListOf(), ListOf():
                self.compare(old.item, new.item, f"{place}[]")
                self._compare_limits(old, new, place)
            case MapOf(), MapOf():
                self.compare(old.key, new.key, f"{place}, keys")
                self.compare(old.value, new.value, f"{place}{{}}")
                self._compare_limits(old, new, place)
            case TupleOf(), TupleOf() if len(old.items) == len(new.items):
                for number, (one, other) in enumerate(zip(old.items, new.items, strict=True)):
                    self.compare(one, other, f"{place}[{number}]")
            case Choice(), Choice():
                self._compare_choices(*self._directed(old, new), place)
            case Plain(), Plain():
                self._compare_kinds(old, new, place)
                self._compare_limits(old, new, place)
            case _:
                self._compare_kinds(old, new, place)

    def _directed(self, old: V, new: V) -> tuple[V, V]:
        """What is written, and what reads it: those who have the contract of before write what is received."""
        return (old, new) if self._receives else (new, old)

    def _compare_kinds(self, old: Shape, new: Shape, place: str) -> None:
        writer, reader = self._directed(old, new)
        if not self._fits(writer, reader):
            self._misfit(writer, reader, place)
        elif not isinstance(writer, Plain) or not isinstance(reader, Plain) or writer.type != reader.type:
            self._note(place, self._became(writer, reader))

    def _fits(self, writer: Shape, reader: Shape) -> bool:
        """Whether a reader accepts all values of a writer, types alone."""
        match writer, reader:
            case Plain() | Choice(), Plain(type="str") if self.as_text:
                return True
            case TupleOf(), ListOf():
                return all(self._accepts(item, reader.item) for item in writer.items)
            case RecordName(), MapOf():
                record = (self.old if self._receives else self.new)[writer.name]
                return not record.is_array and all(self._accepts(one.shape, reader.value) for one in record.fields)
            case Plain(type="int" | "float"), Plain(type="decimal") if not self._receives:
                return False  # a Decimal is a string in JSON; only Python's callers would read a number
            case _:
                return fits_plain(writer, reader)

    def _accepts(self, writer: Shape, reader: Shape) -> bool:
        """Whether a reader accepts all values of a writer."""
        trial = Comparison(self.old, self.new, self.direction, as_text=self.as_text, _seen=set(self._seen))
        trial.compare(*self._directed(writer, reader), "")
        return not any(change.is_breaking for change in trial.changes)

    def _compare_limits(self, old: Plain | ListOf | MapOf, new: Plain | ListOf | MapOf, place: str) -> None:
        writer, reader = self._directed(old, new)
        for limit in tightened(writer, reader):
            if self._receives:
                why = "callers that send other values, as they could before, are refused"
                self._break(place, f"it has {limit} now", why, "leave the constraint as it was, or check it later")
            else:
                why = f"callers that have the contract of before refuse values without {limit}"
                self._break(place, f"it had {limit}", why, "leave the constraint as it was")
        if any(tightened(reader, writer)):
            self._note(place, "a constraint is wider now" if self._receives else "a constraint is narrower now")

    def _compare_choices(self, writer: Choice, reader: Choice, place: str) -> None:
        written, read = set(writer.values), set(reader.values)
        for value in sorted(written - read, key=repr):
            if self._receives:
                why = "callers that send it are refused"
                self._break(place, f"the value {value!r} is no longer accepted", why, "keep it as long as it is sent")
            else:
                why = "callers that have the contract of before cannot read it"
                self._break(
                    place, f"it may be {value!r} now", why, "give it under a new field until all callers know it"
                )
        for value in sorted(read - written, key=repr):
            self._note(place, f"it may be {value!r} now" if self._receives else f"it is no longer {value!r}")

    def _compare_unions(self, writer: Shape, reader: Shape, place: str) -> None:
        readers = {key_of(one, self._readers): one for one in members_of(reader)}
        writers = {key_of(one, self._writers): one for one in members_of(writer)}
        for key, one in writers.items():
            partner = readers.get(key)
            if partner is not None:
                inside = f"{place} ({show(one)})" if isinstance(one, RecordName) and len(writers) > 1 else place
                self.compare(*self._directed(one, partner), inside)
            elif not any(self._accepts(one, other) and self._knows_tag(one, readers) for other in readers.values()):
                self._lose_member(one, place)
        for key, one in readers.items():
            if key not in writers:
                shown = show(one)
                self._note(place, f"it may be {shown} now" if self._receives else f"it is no longer {shown}")

    def _knows_tag(self, writer: Shape, readers: Mapping[Hashable, Shape]) -> bool:
        """Whether a reader of several records knows which one it is; a single one needs no tag."""
        records = [one for one in readers.values() if isinstance(one, RecordName)]
        return not isinstance(writer, RecordName) or len(records) == 1 or self._writers[writer.name].tag is not None

    def _lose_member(self, member: Shape, place: str) -> None:
        shown = show(member)
        has_tag = isinstance(member, RecordName) and self._writers[member.name].tag is not None
        if has_tag and place == self.skips_tags_at:
            who = "the service skips it" if self._receives else "listeners with the contract of before skip it"
            self._note(place, f"{shown} is {'no longer known' if self._receives else 'new'}: {who}")
        elif self._receives:
            why, remedy = "callers that send it are refused", "keep it as long as it is sent"
            self._break(place, f"{shown} is no longer accepted", why, remedy)
        else:
            why = "callers that have the contract of before cannot read it"
            remedy = "give it under a new field, or by a new action, until all callers know it"
            self._break(place, f"it may be {shown} now", why, remedy)

    def _compare_records(self, old: Record, new: Record, names: tuple[str, str], place: str) -> None:
        if names in self._seen:
            return
        self._seen.add(names)
        writer, reader = self._directed(old, new)
        if old.is_array != new.is_array:
            self._break(place, f"it is {'a list' if new.is_array else 'an object'} now", self._unread, "leave its form")
            return
        if None not in (writer.tag, reader.tag) and (writer.tag, writer.tag_field) != (reader.tag, reader.tag_field):
            tags = [f"{one.tag_field}={one.tag!r}" for one in (old, new)]
            self._break(place, f"its tag was {tags[0]}, and is {tags[1]}", self._unread, "leave the tag as it was")
        if reader.is_strict and reader.tag is None and writer.tag is not None:
            change = f"the tag {writer.tag_field}={writer.tag!r} is {'removed' if self._receives else 'new'}"
            self._break(place, change, self._unread, "leave the tag as it was")
        if self._receives and new.is_strict and not old.is_strict:
            why = "callers that send more fields, which were ignored before, are refused"
            self._break(place, "unknown fields are refused now", why, "leave forbid_unknown_fields=True out")
        for one, other in self._pairs(old, new):
            self._compare_fields(one, other, reader, place)

    def _pairs(self, old: Record, new: Record) -> Iterator[tuple[Field | None, Field | None]]:
        """The fields of before with those of now: by name, or by position where the record is a list."""
        if old.is_array:
            for number in range(max(len(old.fields), len(new.fields))):
                one, other = (each.fields[number : number + 1] for each in (old, new))
                yield (one[0] if one else None), (other[0] if other else None)
            return
        before, now = ({each.name: each for each in record.fields} for record in (old, new))
        for name in [*before, *(name for name in now if name not in before)]:
            yield before.get(name), now.get(name)

    def _compare_fields(self, old: Field | None, new: Field | None, reader: Record, place: str) -> None:
        if old is None and new is not None:
            self._add_field(new, reader, f"{place}.{new.name}")
        elif new is None and old is not None:
            self._remove_field(old, reader, f"{place}.{old.name}")
        elif old is not None and new is not None:
            self._compare_presence(old, new, f"{place}.{new.name}")
            self.compare(old.shape, new.shape, f"{place}.{new.name}")

    def _add_field(self, new: Field, reader: Record, place: str) -> None:
        if self._receives and new.is_required:
            self._break(place, "it is new and required", "callers that do not send it are refused", "give it a default")
        elif not self._receives and reader.is_strict:
            why = f"callers that have the contract of before refuse unknown fields of {reader.name}"
            self._break(place, "it is new", why, "give it by a new action, or first make the type lenient everywhere")
        else:
            self._note(place, "it is new")

    def _remove_field(self, old: Field, reader: Record, place: str) -> None:
        if self._receives and reader.is_strict:
            why = f"callers that send it are refused, as {reader.name} refuses unknown fields"
            self._break(place, "it is removed", why, "keep it, with a default, as long as it is sent")
        elif not self._receives and (old.is_required or old.is_always):
            self._break(place, "it is no longer given", "callers read it", "keep it until no caller reads it")
        else:
            self._note(place, "it is removed, and ignored if it is sent" if self._receives else "it is no longer given")

    def _compare_presence(self, old: Field, new: Field, place: str) -> None:
        if self._receives and new.is_required and not old.is_required:
            why = "callers that leave it out, as they could before, are refused"
            self._break(place, "it is required now", why, "keep a default")
        elif not self._receives and old.is_always and not new.is_always:
            why = "callers rely on it being there"
            self._break(place, "it may be left out now", why, "always give it: with a default, without omit_defaults")
        elif self._receives and old.is_required and not new.is_required:
            self._note(place, "it may be left out now")
        elif not self._receives and new.is_always and not old.is_always:
            self._note(place, "it is always given now")
        if self._receives and not new.is_required and not old.is_required and old.default != new.default:
            self._note(place, f"its default was {old.default}, and is {new.default}")

    @property
    def _receives(self) -> bool:
        return self.direction == "received"

    @property
    def _writers(self) -> Mapping[str, Record]:
        return self.old if self._receives else self.new

    @property
    def _readers(self) -> Mapping[str, Record]:
        return self.new if self._receives else self.old

    @property
    def _unread(self) -> str:
        return "callers that have the contract of before " + ("are refused" if self._receives else "cannot read it")

    def _became(self, writer: Shape, reader: Shape) -> str:
        old, new = self._directed(writer, reader)
        return f"{show(old)} became {show(new)}"

    def _misfit(self, writer: Shape, reader: Shape, place: str) -> None:
        old, new = self._directed(writer, reader)
        if self._receives:
            why, remedy = f"callers that send {show(old)} are refused", f"accept both: {show(old)} or {show(new)}"
        else:
            why = f"callers that have the contract of before read {show(old)}"
            remedy = f"keep {show(old)}, and give {show(new)} under a new field"
        self._break(place, self._became(writer, reader), why, remedy)

    def _break(self, place: str, change: str, why: str, remedy: str) -> None:
        self.changes.append(Change(place, change, is_breaking=True, why=why, remedy=remedy))

    def _note(self, place: str, change: str) -> None:
        self.changes.append(Change(place, change))
