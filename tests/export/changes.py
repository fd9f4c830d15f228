"""Forty changes of a type, as data: what each means for those who have the contract of before.

The type is always `Thing`. Senders write a `Thing` into a request; readers get one in a reply. A program of theirs was
written with the old contract: after a new export it may not compile any more, and while it still runs with the old
contract, what it sends may be refused, or what it gets may not be what it was promised.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["CHANGES", "PRELUDE", "Change"]

PRELUDE = """
import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
import msgspec
from msgspec import UNSET, Meta, UnsetType
"""
"""What the sources begin with."""


class Change(msgspec.Struct, frozen=True):
    """A change of `Thing`.

    Attributes:
        name: What changes.
        side: The side of the client: it is ``sent`` in requests, or ``received`` in replies.
        before: The source of the old type.
        after: The source of the new one.
        value: JSON. Of ``sent``: what an old client sends. Of ``received``: what the new service gives.
        reads: Of ``received``: statements of TypeScript that use the `Thing` called `it`, written for the old type.
        compiles: Whether the program of the client compiles with the TypeScript of the new type. A sender writes
            `value` as a literal.
        works: Whether it works at run time: the new service takes the value, or the value is one of the old type.
        breaks: Whether the comparison of the contracts has to call it breaking. It looks at all values of the type, so
            it may break where one value works.
    """

    name: str
    side: Literal["sent", "received"]
    before: str
    after: str
    value: str
    reads: str = ""
    compiles: bool = True
    works: bool = True
    breaks: bool = False


def _thing(*fields: str, options: str = "", before: str = "") -> str:
    body = "\n".join(f"    {field}" for field in fields) or "    pass"
    return f"{before}\nclass Thing(msgspec.Struct{options}):\n{body}\n"


_RED = 'class Colour(enum.Enum):\n    RED = "red"\n'
_RED_BLUE = f'{_RED}    BLUE = "blue"\n'
_CIRCLE = "class Circle(msgspec.Struct, tag=True):\n    radius: int\n"
_SQUARE = "class Square(msgspec.Struct, tag=True):\n    side: int\n"
_INNER = "class Inner(msgspec.Struct):\n    a: int\n"

_SENT = (
    Change(
        "a required field is added",
        "sent",
        _thing("a: int"),
        _thing("a: int", "b: int"),
        '{"a": 1}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change("an optional field is added", "sent", _thing("a: int"), _thing("a: int", "b: int = 0"), '{"a": 1}'),
    Change(
        "a field is removed",
        "sent",
        _thing("a: int", "b: int = 0"),
        _thing("a: int"),
        '{"a": 1, "b": 2}',
        compiles=False,
    ),
    Change(
        "a field of a strict type is removed",
        "sent",
        _thing("a: int", "b: int = 0", options=", forbid_unknown_fields=True"),
        _thing("a: int", options=", forbid_unknown_fields=True"),
        '{"a": 1, "b": 2}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a field is renamed",
        "sent",
        _thing("a: int"),
        _thing("b: int"),
        '{"a": 1}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a field is renamed in Python only",
        "sent",
        _thing("a: int"),
        _thing('b: int = msgspec.field(name="a")'),
        '{"a": 1}',
    ),
    Change(
        "an optional field becomes required",
        "sent",
        _thing("a: int = 0"),
        _thing("a: int"),
        "{}",
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change("a required field becomes optional", "sent", _thing("a: int"), _thing("a: int = 0"), '{"a": 1}'),
    Change(
        "int becomes str",
        "sent",
        _thing("a: int"),
        _thing("a: str"),
        '{"a": 1}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change("int becomes int or str", "sent", _thing("a: int"), _thing("a: int | str"), '{"a": 1}'),
    Change(
        "int or str becomes int",
        "sent",
        _thing("a: int | str"),
        _thing("a: int"),
        '{"a": "x"}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change("int becomes float", "sent", _thing("a: int"), _thing("a: float"), '{"a": 1}'),
    # TypeScript has one type of numbers.
    Change("float becomes int", "sent", _thing("a: float"), _thing("a: int"), '{"a": 1.5}', works=False, breaks=True),
    Change(
        "None is no longer taken",
        "sent",
        _thing("a: int | None"),
        _thing("a: int"),
        '{"a": null}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change("None is taken, too", "sent", _thing("a: int"), _thing("a: int | None"), '{"a": 1}'),
    # The bounds of numbers and texts are comments in TypeScript.
    Change(
        "a bound becomes narrower",
        "sent",
        _thing("a: Annotated[int, Meta(le=100)]"),
        _thing("a: Annotated[int, Meta(le=10)]"),
        '{"a": 50}',
        works=False,
        breaks=True,
    ),
    Change(
        "a bound becomes wider",
        "sent",
        _thing("a: Annotated[int, Meta(le=10)]"),
        _thing("a: Annotated[int, Meta(le=100)]"),
        '{"a": 5}',
    ),
    Change(
        "a member of an enum is removed",
        "sent",
        _thing("a: Colour", before=_RED_BLUE),
        _thing("a: Colour", before=_RED),
        '{"a": "blue"}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a member of an enum is added",
        "sent",
        _thing("a: Colour", before=_RED),
        _thing("a: Colour", before=_RED_BLUE),
        '{"a": "red"}',
    ),
    Change(
        "a member of a tagged union is removed",
        "sent",
        _thing("a: Circle | Square", before=_CIRCLE + _SQUARE),
        _thing("a: Circle", before=_CIRCLE),
        '{"a": {"type": "Square", "side": 1}}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a tag is renamed",
        "sent",
        _thing("a: Circle", before=_CIRCLE),
        _thing("a: Circle", before=_CIRCLE.replace("tag=True", 'tag="circle"')),
        '{"a": {"type": "Circle", "radius": 1}}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a type gets a tag",
        "sent",
        _thing("a: int"),
        _thing("a: int", options=", tag=True"),
        '{"a": 1}',
        compiles=False,
    ),
    Change(
        "date becomes datetime",
        "sent",
        _thing("a: dt.date"),
        _thing("a: dt.datetime"),
        '{"a": "2026-11-30"}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a zone becomes required",
        "sent",
        _thing("a: Annotated[dt.datetime, Meta(tz=False)]"),
        _thing("a: Annotated[dt.datetime, Meta(tz=True)]"),
        '{"a": "2026-11-30T12:00:00"}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "str becomes UUID",
        "sent",
        _thing("a: str"),
        _thing("a: uuid.UUID"),
        '{"a": "u1"}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a list becomes one value",
        "sent",
        _thing("a: list[int]"),
        _thing("a: int"),
        '{"a": [1]}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a tuple gets another length",
        "sent",
        _thing("a: tuple[int, int]"),
        _thing("a: tuple[int, int, int]"),
        '{"a": [1, 2]}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "an inner type gets a required field",
        "sent",
        _thing("a: list[Inner]", before=_INNER),
        _thing("a: list[Inner]", before=f"{_INNER}    b: str\n"),
        '{"a": [{"a": 1}]}',
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change("a default gets another value", "sent", _thing("a: int = 0"), _thing("a: int = 1"), "{}"),
    Change(
        "fields change their places",
        "sent",
        _thing("a: int", "b: str"),
        _thing("b: str", "a: int"),
        '{"a": 1, "b": ""}',
    ),
    Change(
        "fields of an array change their places",
        "sent",
        _thing("a: int", "b: str", options=", array_like=True"),
        _thing("b: str", "a: int", options=", array_like=True"),
        '[1, ""]',
        compiles=False,
        works=False,
        breaks=True,
    ),
)

_RECEIVED = (
    Change(
        "a field is added",
        "received",
        _thing("a: int"),
        _thing("a: int", "b: int"),
        '{"a": 1, "b": 2}',
        "use<number>(it.a);",
    ),
    Change(
        "a field is removed",
        "received",
        _thing("a: int", "b: int"),
        _thing("a: int"),
        '{"a": 1}',
        "use<number>(it.b);",
        compiles=False,
        works=False,
        breaks=True,
    ),
    # The reader in Python has the default; the one in TypeScript was promised a number.
    Change(
        "a field with a default is removed",
        "received",
        _thing("a: int", "b: int = 0"),
        _thing("a: int"),
        '{"a": 1}',
        "use<number>(it.b);",
        compiles=False,
        breaks=True,
    ),
    Change(
        "a field may be None",
        "received",
        _thing("a: int"),
        _thing("a: int | None"),
        '{"a": null}',
        "use<number>(it.a);",
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a field may be missing",
        "received",
        _thing("a: int"),
        _thing("a: int | UnsetType = UNSET"),
        "{}",
        "use<number>(it.a);",
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a field gets a default", "received", _thing("a: int"), _thing("a: int = 0"), '{"a": 0}', "use<number>(it.a);"
    ),
    Change(
        "a field is never None",
        "received",
        _thing("a: int | None"),
        _thing("a: int"),
        '{"a": 1}',
        "use<number>(it.a ?? 0);",
    ),
    Change(
        "a member of an enum is added",
        "received",
        _thing("a: Colour", before=_RED),
        _thing("a: Colour", before=_RED_BLUE),
        '{"a": "blue"}',
        "use<number>({ red: 1 }[it.a]);",
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "a member of a tagged union is added",
        "received",
        _thing("a: Circle", before=_CIRCLE),
        _thing("a: Circle | Square", before=_CIRCLE + _SQUARE),
        '{"a": {"type": "Square", "side": 1}}',
        "use<number>(it.a.radius);",
        compiles=False,
        works=False,
        breaks=True,
    ),
    Change(
        "Decimal becomes float",
        "received",
        _thing("a: Decimal"),
        _thing("a: float"),
        '{"a": 1.5}',
        "use<string>(it.a);",
        compiles=False,
        breaks=True,
    ),
    Change(
        "a strict type becomes open",
        "received",
        _thing("a: int", options=", forbid_unknown_fields=True"),
        _thing("a: int"),
        '{"a": 1}',
        "use<number>(it.a);",
    ),
    Change(
        "an int has 64 bits",
        "received",
        _thing("a: int"),
        _thing("a: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]"),
        '{"a": 9007199254740993}',
        "use<number>(it.a);",
        compiles=False,
    ),
    Change(
        "a description changes",
        "received",
        _thing('a: Annotated[int, Meta(description="One.")]'),
        _thing('a: Annotated[int, Meta(description="Two.")]'),
        '{"a": 1}',
        "use<number>(it.a);",
    ),
)

CHANGES: tuple[Change, ...] = _SENT + _RECEIVED
"""The table."""
