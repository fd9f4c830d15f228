"""Sixty changes of types, each with the verdict that it must get."""

from __future__ import annotations

import msgspec

from daebus.compare.changes import Direction

__all__ = ["PAIRS", "PRELUDE", "Pair"]

PRELUDE = """
import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
T = TypeVar("T")
"""
"""What the sources begin with."""


class Pair(msgspec.Struct, frozen=True):
    """A change of the type `Thing`.

    Attributes:
        name: What changes.
        direction: Whether the service receives a `Thing`, or gives one.
        before: The source of the old type.
        after: That of the new one.
        breaks: Whether it breaks those who have the contract of before.
        says: A part of what is reported.
    """

    name: str
    direction: Direction
    before: str
    after: str
    breaks: bool
    says: str = ""


def _struct(fields: str, options: str = "") -> str:
    body = "\n".join(f"    {field.strip()}" for field in fields.split(";"))
    return f"class Thing(Struct{options}):\n{body}\n"


def _with(kind: str, limits: str) -> str:
    return f"Thing = Annotated[{kind}, Meta({limits})]"


_TAGGED = "class A(Struct, tag=True):\n    a: int\nclass B(Struct, tag=True):\n    b: int\n"
_STRICT = ", forbid_unknown_fields=True"

_BREAKING: tuple[tuple[str, Direction, str, str, str], ...] = (
    ("a required field is added", "received", _struct("a: int"), _struct("a: int; b: int"), "it is new and required"),
    ("a default is removed", "received", _struct("a: int = 0"), _struct("a: int"), "it is required now"),
    ("a field is renamed", "received", _struct("a: int"), _struct("b: int"), "it.b"),
    ("a strict type loses a field", "received", _struct("a: int; b: int", _STRICT), _struct("a: int", _STRICT), "it.b"),
    ("a type becomes strict", "received", _struct("a: int"), _struct("a: int", _STRICT), "unknown fields are refused"),
    ("a union loses a type", "received", "Thing = int | str", "Thing = int", "str is no longer accepted"),
    ("a union loses a tag", "received", f"{_TAGGED}Thing = A | B", f"{_TAGGED}Thing = A", "B is no longer accepted"),
    ("None is refused", "received", _struct("a: int | None"), _struct("a: int"), "None is no longer accepted"),
    ("a literal loses a value", "received", "Thing = Literal['x', 'y']", "Thing = Literal['x']", "'y'"),
    ("a float becomes an int", "received", "Thing = float", "Thing = int", "float became int"),
    ("a str becomes a UUID", "received", "Thing = str", "Thing = UUID", "str became uuid"),
    (
        "a minimum is raised",
        "received",
        _with("int", "ge=1"),
        _with("int", "gt=1"),
        "1",
    ),
    ("a length is limited", "received", "Thing = list[int]", _with("list[int]", "max_length=3"), "3"),
    ("a pattern is added", "received", "Thing = str", _with("str", "pattern='^x'"), "the pattern ^x"),
    (
        "a time needs a zone",
        "received",
        "Thing = datetime",
        _with("datetime", "tz=True"),
        "a time zone",
    ),
    ("an item is added to a tuple", "received", "Thing = tuple[int, int]", "Thing = tuple[int, int, int]", "became"),
    ("a list becomes a value", "received", "Thing = list[int]", "Thing = int", "a list of int became int"),
    ("anything becomes something", "received", "Thing = Any", "Thing = str", "anything became str"),
    (
        "a tag is renamed",
        "received",
        _struct("a: int", ", tag='x'"),
        _struct("a: int", ", tag='y'"),
        "its tag was type='x'",
    ),
    ("a struct becomes a list", "given", _struct("a: int"), _struct("a: int", ", array_like=True"), "it is a list now"),
    ("a field is removed", "given", _struct("a: int; b: int = 0"), _struct("a: int"), "it is no longer given"),
    (
        "a field may be left out",
        "given",
        _struct("a: int"),
        _struct("a: int | UnsetType = UNSET"),
        "it may be left out",
    ),
    (
        "defaults are left out",
        "given",
        _struct("a: int = 0"),
        _struct("a: int = 0", ", omit_defaults=True"),
        "left out",
    ),
    ("a field may be None", "given", _struct("a: int"), _struct("a: int | None"), "it may be None now"),
    ("a union gets a tag", "given", f"{_TAGGED}Thing = A", f"{_TAGGED}Thing = A | B", "it may be B now"),
    ("an enum gets a value", "given", "Thing = Literal['x']", "Thing = Literal['x', 'y']", "it may be 'y' now"),
    ("an int becomes a float", "given", "Thing = int", "Thing = float", "int became float"),
    ("a limit goes", "given", _with("str", "max_length=3"), "Thing = str", "a maximum length of 3"),
    ("a strict type gets a field", "given", _struct("a: int", _STRICT), _struct("a: int; b: int", _STRICT), "it.b"),
    ("deep inside", "given", "Thing = dict[str, list[int]]", "Thing = dict[str, list[str]]", "it{}[]"),
)

_HARMLESS: tuple[tuple[str, Direction, str, str, str], ...] = (
    ("an optional field is added", "received", _struct("a: int"), _struct("a: int; b: int = 0"), "it is new"),
    ("a field gets a default", "received", _struct("a: int"), _struct("a: int = 0"), "it may be left out now"),
    (
        "a field is removed",
        "received",
        _struct("a: int; b: int"),
        _struct("a: int"),
        "it is removed, and ignored",
    ),
    ("a default changes", "received", _struct("a: int = 0"), _struct("a: int = 1"), "its default was 0, and is 1"),
    ("a type becomes lenient", "received", _struct("a: int", _STRICT), _struct("a: int"), ""),
    ("a union gets a type", "received", "Thing = int", "Thing = int | str", "it may be str now"),
    ("None is accepted", "received", _struct("a: int"), _struct("a: int | None"), "it may be None now"),
    ("a literal gets a value", "received", "Thing = Literal['x']", "Thing = Literal['x', 'y']", "it may be 'y' now"),
    ("a literal becomes a str", "received", "Thing = Literal['x']", "Thing = str", "became str"),
    ("an int becomes a float", "received", "Thing = int", "Thing = float", "int became float"),
    ("an int becomes a Decimal", "received", "Thing = int", "Thing = Decimal", "int became decimal"),
    ("a UUID becomes a str", "received", "Thing = UUID", "Thing = str", "uuid became str"),
    (
        "a minimum is lowered",
        "received",
        _with("int", "gt=1"),
        _with("int", "gt=0"),
        "wider",
    ),
    ("gt=0 becomes ge=1", "received", _with("int", "gt=0"), _with("int", "ge=1"), ""),
    (
        "a pattern goes",
        "received",
        _with("str", "pattern='^x'"),
        "Thing = str",
        "a constraint is wider",
    ),
    (
        "multiples of 4 become those of 2",
        "received",
        _with("int", "multiple_of=4"),
        _with("int", "multiple_of=2"),
        "wider",
    ),
    ("a tuple becomes a list", "received", "Thing = tuple[int, int]", "Thing = list[int]", "became a list of int"),
    ("a set becomes a list", "received", "Thing = set[int]", "Thing = list[int]", ""),
    ("a struct becomes a map", "received", _struct("a: int"), "Thing = dict[str, int]", "became a map of int"),
    ("something becomes anything", "received", "Thing = str", "Thing = Any", "any value is accepted now"),
    ("a single type gets a tag", "received", _struct("a: int"), _struct("a: int", ", tag=True"), ""),
    ("a struct becomes a dataclass", "given", _struct("a: int"), "@dataclass\nclass Thing:\n    a: int\n", ""),
    ("a class is renamed", "given", _struct("a: int"), "class Other(Struct):\n    a: int\nThing = Other", ""),
    ("a field is renamed in Python", "given", _struct("a: int"), _struct("b: int = msgspec.field(name='a')"), ""),
    ("fields change their order", "given", _struct("a: int; b: int"), _struct("b: int; a: int"), ""),
    ("a field is added", "given", _struct("a: int"), _struct("a: int; b: int"), "it is new"),
    ("a field gets a default", "given", _struct("a: int"), _struct("a: int = 0"), ""),
    ("a union loses a tag", "given", f"{_TAGGED}Thing = A | B", f"{_TAGGED}Thing = A", "it is no longer B"),
    ("a limit is added", "given", "Thing = str", _with("str", "max_length=3"), "narrower"),
    ("a str becomes a date", "given", "Thing = str", "Thing = date", "str became date"),
)

PAIRS = (
    *(Pair(*one[:4], breaks=True, says=one[4]) for one in _BREAKING),
    *(Pair(*one[:4], breaks=False, says=one[4]) for one in _HARMLESS),
)
"""Thirty that break, and thirty that do not."""
