"""All the mistakes of an input are told at once, and hostile ones cost little."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypeVar, cast

import attrs
import msgspec
import pytest
from msgspec import Meta
from typing_extensions import TypedDict

from daebus.errors import BadRequest
from daebus.payloads.codec import compile_decoder, compile_event_decoder, compile_query_decoder
from daebus.payloads.mistakes import Mistakes

T = TypeVar("T")
Cents = NewType("Cents", int)


class Item(msgspec.Struct):
    name: Annotated[str, Meta(min_length=1)]
    price: Annotated[int, Meta(ge=0)]


class Card(msgspec.Struct, tag="card"):
    number: str
    month: int


class Transfer(msgspec.Struct, tag="transfer"):
    iban: str


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    first_name: str
    age: int = 0


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


class Point(msgspec.Struct, array_like=True):
    x: int
    y: int


class Move(msgspec.Struct, tag="move", array_like=True):
    x: int
    y: int


class Jump(msgspec.Struct, tag="jump", array_like=True):
    height: int


class Node(msgspec.Struct):
    value: int = 0
    children: list[Node] = []


class Ordered(msgspec.Struct):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Order(msgspec.Struct):
    customer: str
    items: list[Item]
    paid: Card | Transfer | None = None
    notes: dict[str, int] = {}


@dataclasses.dataclass
class Box(Generic[T]):
    size: int
    content: list[T]
    label: str = ""


@attrs.define
class Crate:
    size: int
    label: str


class Options(TypedDict):
    deep: bool
    wide: NotRequired[bool]


class Pair(NamedTuple):
    left: int
    right: str


def mistakes(annotation: object, body: object) -> list[tuple[str, str]]:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadRequest) as caught:
        compile_decoder(annotation)(sent)
    found = cast("list[dict[str, str]]", caught.value.details["errors"])
    assert all(one["in"] == "payload" for one in found)
    return [(one["path"], one["problem"]) for one in found]


INT, STR = "Expected `int`, got `str`", "Expected `str`, got `int`"


@pytest.mark.parametrize(
    ("annotation", "body", "found"),
    [
        (
            Order,
            {"items": [{"name": "", "price": 1}, {"name": "a", "price": 2}, {"price": "x"}], "paid": {"type": "card"}},
            [
                ("$.customer", "Missing, expected `str`"),
                ("$.items[0].name", "Expected `str` of length >= 1"),
                ("$.items[2].name", "Missing, expected `str`"),
                ("$.items[2].price", INT),
                ("$.paid.number", "Missing, expected `str`"),
                ("$.paid.month", "Missing, expected `int`"),
            ],
        ),
        (
            Order,
            {"customer": 1, "items": [], "paid": {"type": "cash"}, "notes": {"a": 1, "b c": "x", "d": None}},
            [
                ("$.customer", STR),
                ("$.paid.type", "Invalid value 'cash'"),
                ('$.notes["b c"]', INT),
                ("$.notes.d", "Expected `int`, got `null`"),
            ],
        ),
        (Card, {"type": "transfer", "number": 1}, [("$.type", "Invalid value 'transfer'")]),
        (
            Strict,
            {"firstNmae": "a", "age": "1", "x": 1},
            [
                ("$.firstName", "Missing, expected `str`"),
                ("$.age", INT),
                ("$.firstNmae", "Unknown field; did you mean `firstName`?"),
                ("$.x", "Unknown field"),
            ],
        ),
        (Page[int], {"items": ["a", 1, "b"]}, [("$.items[0]", INT), ("$.items[2]", INT)]),
        (list[Point], [[1, 2], ["a", "b"]], [("$[1][0]", INT), ("$[1][1]", INT)]),
        (Move | Jump, ["move", "a", "b"], [("$[1]", INT), ("$[2]", INT)]),
        (Move | Jump, ["walk", "a"], [("$[0]", "Invalid value 'walk'")]),
        (Ordered, {"low": 2, "high": 1}, [("$", "low is above high")]),
        (Ordered, {"low": "2"}, [("$.low", INT), ("$.high", "Missing, expected `int`")]),
        (Box[int], {"size": "a", "content": ["b"]}, [("$.size", INT), ("$.content[0]", INT)]),
        (Crate, {"label": 1}, [("$.size", "Missing, expected `int`"), ("$.label", STR)]),
        (Options, {"wide": 1}, [("$.deep", "Missing, expected `bool`"), ("$.wide", "Expected `bool`, got `int`")]),
        (Pair, ["a", 1], [("$[0]", INT), ("$[1]", STR)]),
        (tuple[int, str], ["a", 1], [("$[0]", INT), ("$[1]", STR)]),
        (tuple[int, ...], [1, "a", "b"], [("$[1]", INT), ("$[2]", INT)]),
        (set[Cents], ["a", 1, "b"], [("$[0]", INT), ("$[2]", INT)]),
        (dict[int, str], {"a": 1}, [("$.a", "Invalid name: Expected `int`, got `str`"), ("$.a", STR)]),
        (
            Annotated[list[int], Meta(max_length=1)],
            ["a", 1],
            [("$[0]", INT), ("$", "Expected `array` of length <= 1")],
        ),
        (Annotated[list[int], Meta(max_length=1)], [1, 1], [("$", "Expected `array` of length <= 1")]),
        (list[Literal["a", "b"]], ["a", "c", 1], [("$[1]", "Invalid enum value 'c'"), ("$[2]", STR)]),
        (int | str, None, [("$", "Expected `int | str`, got `null`")]),
        (list[Annotated[str, Meta(pattern="^a")] | None], ["b", None, 1], None),
        (Node, {"children": [{"value": "a"}, {"children": [{"value": "b"}]}]}, None),
    ],
)
def test_all_mistakes_are_told(annotation: object, body: object, found: list[tuple[str, str]] | None) -> None:
    told = mistakes(annotation, body)
    assert len(told) == 2 if found is None else sorted(told) == sorted(found)


def test_the_sentence_names_the_first_and_says_how_many_more_there_are() -> None:
    def sentence(body: bytes) -> str:
        with pytest.raises(BadRequest) as caught:
            compile_decoder(Item)(body)
        return caught.value.message

    assert sentence(b'{"name":1,"price":1}') == "Invalid value at `$.name`: expected `str`, got `int`"
    assert sentence(b'{"name":1,"price":"a"}').endswith("got `int`, and 1 more mistake")
    assert sentence(b"{}") == "Missing value at `$.name`: expected `str`, and 1 more mistake"


def test_a_body_that_is_cut_tells_what_came_before() -> None:
    assert mistakes(Item, b'{"name":1,"price":') == [("$.name", STR)]


def test_of_many_mistakes_twenty_are_told() -> None:
    with pytest.raises(BadRequest) as caught:
        compile_decoder(list[int])(json.dumps(["a"] * 30).encode())
    assert caught.value.message.endswith("and at least 19 more mistakes")
    assert len(cast("list[object]", caught.value.details["errors"])) == 20
    assert caught.value.details["more"] is True


def test_the_only_mistake_at_the_end_of_a_long_list_is_found() -> None:
    assert mistakes(list[int], b"[" + b"1," * 300_000 + b'"a"]') == [("$[300000]", INT)]


def test_an_event_tells_all_of_its_mistakes() -> None:
    with pytest.raises(BadRequest, match="and 1 more mistake"):
        compile_event_decoder(Card | Transfer)(b'{"type":"card","number":1,"month":"x"}')


def test_a_query_string_tells_all_of_its_mistakes() -> None:
    class Search(msgspec.Struct):
        text: str
        page: int = 1
        tags: list[int] = []

    with pytest.raises(BadRequest) as caught:
        compile_query_decoder(Search)(b"page=x&tags=1&tags=a")
    assert caught.value.details["errors"] == [
        {"in": "query", "path": "text", "problem": "Missing, expected `str`"},
        {"in": "query", "path": "page", "problem": INT},
        {"in": "query", "path": "tags[1]", "problem": INT},
    ]
    assert caught.value.message == "The query parameter `text` is missing, expected `str`, and 2 more mistakes"


def test_names_and_values_of_a_sender_do_not_reach_logs_as_they_are() -> None:
    told = mistakes(dict[str, int], {"\x1b[31m\x9b" + "a" * 100_000: "x"})
    ((path, _),) = told
    assert path.isascii()
    assert path.isprintable()
    assert len(path) < 120
    ((_, problem),) = mistakes(Literal["a"], "b" * 100_000)
    assert len(problem) < 400


MIB = 1 << 20
NUMBERS = b"[" + b"1," * (MIB // 2) + b"1]"
HOSTILE: list[tuple[object, bytes]] = [
    (list[int], b"[" + b'"",' * (MIB // 3 - 1) + b'""]'),
    (list[int], b'["",' + b"1," * (MIB // 2) + b"1]"),
    (dict[str, int], b"{" + b",".join(b'"%x":""' % n for n in range(MIB // 10)) + b"}"),
    (dict[str, int], b"{" + b",".join(b'"%x":1' % n for n in range(MIB // 10)) + b',"x":""}'),
    (Strict, b"{" + b",".join(b'"firstNam%x":""' % n for n in range(MIB // 16)) + b"}"),
    (Strict, b'{"' + b"firstName" * (MIB // 9) + b'":1}'),
    (list[Item], b"[" + b"{}," * (MIB // 3 - 1) + b"{}]"),
    (Node, b'{"children":[' * 400 + b'"' + b"a" * MIB + b'"' + b"]}" * 400),
    (Node, b'{"children":[' * 20 + b"1," * (MIB // 2) + b"1" + b"]}" * 20),
    (list[list[list[list[int]]]], b'[[[["",' + b"1," * (MIB // 2) + b"1]]]]"),
    (list[Any | int] | int, b'"' + b"a" * MIB + b'"'),
]


@pytest.mark.parametrize(("annotation", "body"), HOSTILE)
def test_a_mebibyte_of_mistakes_costs_little_more_than_to_read_it(annotation: object, body: bytes) -> None:
    decode = compile_decoder(annotation)

    def seconds(work: Any) -> float:
        def once() -> float:
            begin = time.process_time()
            work()
            return time.process_time() - begin

        return min(once() for _ in range(3))

    def refused() -> None:
        with pytest.raises(BadRequest) as caught:
            decode(body)
        assert len(json.dumps(caught.value.details)) < 20_000

    # What it takes to read a mebibyte of numbers is the measure, as a mebibyte of one text is read in a millisecond,
    # which is too short to be compared with on a busy machine.
    assert seconds(refused) < 10 * seconds(lambda: json.loads(NUMBERS))


def test_mistakes_of_several_places_are_put_together() -> None:
    first, second = Mistakes([]), Mistakes([])
    first.add("path", "id", "Expected `int`")
    for number in range(25):
        second.add("body", f"$[{number}]", "Expected `int`")
    first.take(second)
    assert len(first.found) == 20
    assert first.is_cut
