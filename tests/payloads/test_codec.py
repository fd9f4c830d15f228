from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, cast

import msgspec
import pytest

from daebus.errors import BadRequest
from daebus.payloads.codec import (
    UnknownTag,
    UnresolvedTypeError,
    UnsupportedTypeError,
    compile_decoder,
    compile_event_decoder,
    compile_query_decoder,
    encode,
    is_json_type,
    require_json_type,
)


class Address(msgspec.Struct):
    street: str
    zip_code: Annotated[int, msgspec.Meta(ge=1000, le=99999)]


class Order(msgspec.Struct):
    customer: str
    lines: list[Address] = []
    notes: dict[str, Address] = {}


class Circle(msgspec.Struct, tag="circle"):
    radius: float


class Square(msgspec.Struct, tag="square"):
    side: float


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


class Options(TypedDict):
    deep: bool


@dataclasses.dataclass
class Box:
    size: int


class Node(msgspec.Struct):
    children: list[Node] = []


class Checked(msgspec.Struct):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Plain:
    pass


class Holder(msgspec.Struct):
    inner: list[dict[str, Plain | None]]


def errors_of(error: BadRequest) -> list[dict[str, str]]:
    return cast("list[dict[str, str]]", error.details["errors"])


def refusal(annotation: object, body: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        compile_decoder(annotation)(body)
    return caught.value


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        (Order, b'{"customer":"a"}', Order("a")),
        (Circle | Square, b'{"type":"square","side":2}', Square(2)),
        (list[Circle], b'[{"type":"circle","radius":1}]', [Circle(1)]),
        (str, b'"a"', "a"),
        (float, b"1", 1.0),
        (type(None), b"null", None),
        (None, b"null", None),
        (int | None, b"null", None),
        (Box, b'{"size":1}', Box(1)),
        (Options, b'{"deep":true}', {"deep": True}),
        (Point, b"[1,2]", Point(1, 2)),
        (Literal["a", "b"], b'"b"', "b"),
        (dict[int, str], b'{"1":"a"}', {1: "a"}),
        (dict[uuid.UUID, int], b'{"00000000-0000-0000-0000-000000000001":1}', {uuid.UUID(int=1): 1}),
        (date, b'"2026-11-22"', date(2026, 11, 22)),
        (Node, b'{"children":[{}]}', Node([Node()])),
        (Any, b'{"a":[1]}', {"a": [1]}),
        (object, b'{"a":[1]}', {"a": [1]}),
        (dict[str, object], b'{"a":[1]}', {"a": [1]}),
        (msgspec.Raw, b'{"a":1}', msgspec.Raw(b'{"a":1}')),
    ],
)
def test_json_is_decoded_into_the_type_and_encoded_again(annotation: object, body: bytes, value: object) -> None:
    decode = compile_decoder(annotation)
    assert decode(body) == value
    assert decode(msgspec.Raw(body)) == value
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("annotation", "body", "path", "problem"),
    [
        (Order, b'{"customer":1}', "$.customer", "Expected `str`, got `int`"),
        (Order, b"[]", "$", "Expected `object`, got `array`"),
        (Order, b"{}", "$.customer", "Missing, expected `str`"),
        (Order, b'{"customer":"a","lines":[{"street":"s"}]}', "$.lines[0].zip_code", "Missing, expected `int`"),
        (Order, b'{"customer":"a","lines":[{"street":"s","zip_code":7}]}', "$.lines[0].zip_code", "`int` >= 1000"),
        (Order, b'{"customer":"","notes":{"x":{"street":1,"zip_code":1000}}}', "$.notes.x.street", "Expected `str`"),
        (list[int], b'[1,"a"]', "$[1]", "Expected `int`, got `str`"),
        (dict[int, str], b'{"a":"b"}', "$.a", "Invalid name: Expected `int`, got `str`"),
        (dict[str, dict[int, str]], b'{"x":{"a b":"b"}}', '$.x["a b"]', "Invalid name: Expected `int`, got `str`"),
        (Circle | Square, b'{"type":"line"}', "$.type", "Invalid value 'line'"),
        (Circle | Square, b'{"side":1}', "$.type", "Missing"),
        (Circle | Square, b'{"type":"square","side":"x"}', "$.side", "Expected `float`, got `str`"),
        (Colour, b'"blue"', "$", "Invalid enum value 'blue'"),
        (int, b"null", "$", "Expected `int`, got `null`"),
        (None, b"1", "$", "Expected `null`, got `int`"),
        (Checked, b'{"low":2,"high":1}', "$", "low is above high"),
        (date, b'"tomorrow"', "$", "Invalid RFC3339"),
    ],
)
def test_a_value_that_does_not_fit_is_a_bad_request_that_names_the_field(
    annotation: object, body: bytes, path: str, problem: str
) -> None:
    error = refusal(annotation, body)
    (found,) = errors_of(error)
    assert (found["in"], found["path"]) == ("payload", path)
    assert problem in found["problem"]
    assert error.message.startswith(f"{'Missing' if 'Missing' in problem else 'Invalid'} value at `{path}`")
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize("body", [b"", b"{", b'{"customer":', b"nonsense", b'{"customer":"a"} x', b"\xff\xfe", b"\x00"])
def test_broken_json_is_a_bad_request(body: bytes) -> None:
    error = refusal(Order, body)
    assert error.message.startswith("The message is not valid JSON: ")
    assert errors_of(error)[0]["problem"].startswith("It is not valid JSON: ")


@pytest.mark.parametrize(
    ("annotation", "body"),
    [(str, b'"\xff"'), (Order, b'{"customer":"\xc3("}'), (Any, b'{"\xff":1}'), (dict[str, int], b'{"\xff":1}')],
)
def test_text_that_is_not_utf_8_is_a_bad_request(annotation: object, body: bytes) -> None:
    assert refusal(annotation, body).message.startswith("The message is not valid JSON: ")


@pytest.mark.parametrize(
    ("annotation", "body"),
    [
        (Any, b"[" * 100_000),
        (object, b'{"a":' * 100_000),
        (Order, b'{"unknown":' + b"[" * 100_000),
        (Circle | Square, b'{"type":"circle","radius":1,"unknown":' + b"[" * 100_000),
        (Node, b'{"children":[' * 100_000),
    ],
)
def test_json_that_is_nested_too_deeply_is_a_bad_request(annotation: object, body: bytes) -> None:
    assert refusal(annotation, body).message == "The message is nested too deeply"
    assert refusal(annotation, b"[" * 100_000).code == "bad_request"


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        (Plain, "Plain has no JSON form"),
        (list[Plain], "Plain has no JSON form"),
        (Holder, "Plain has no JSON form"),
        (tuple[Circle, Holder], "Plain has no JSON form"),
        (complex, "complex has no JSON form"),
        (Iterator[int], "Iterator has no JSON form"),
        (dict[str, set[complex]], "complex has no JSON form"),
        (Circle | Order, "union"),
        (int | Literal["a"] | Order | Box, "union"),
        ("Order", "Type ''Order'' is not supported"),
        (list["Order"], "is not supported"),
        (dict[tuple[int, int], str], "the keys of a JSON object are text"),
        (list[dict[bool, int]], "the keys of a JSON object are text"),
        (dict[str | None, int], "the keys of a JSON object are text"),
        (dict[Annotated[Point, msgspec.Meta(title="p")], int], "the keys of a JSON object are text"),
    ],
)
def test_a_type_without_a_json_form_is_refused_however_deep_it_stands(annotation: object, named: str) -> None:
    with pytest.raises(UnsupportedTypeError) as caught:
        require_json_type(annotation)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    for compile_ in (compile_decoder, compile_event_decoder, compile_query_decoder):
        with pytest.raises(UnsupportedTypeError):
            compile_(annotation)


def test_a_type_that_contains_itself_is_accepted() -> None:
    require_json_type(Node)


def test_whether_a_type_has_a_json_form_can_be_asked() -> None:
    assert is_json_type(Order) is True
    assert is_json_type(Holder) is False


def test_a_type_with_an_annotation_that_names_nothing_is_refused() -> None:
    made: type = type("Made", (msgspec.Struct,), {"__annotations__": {"user": "Missing"}})
    with pytest.raises(UnresolvedTypeError, match="name 'Missing' is not defined"):
        compile_decoder(list[made])  # type: ignore[valid-type]


@pytest.mark.parametrize(
    "annotation",
    [
        Circle | Square,
        Circle | Square | None,
        Circle,
        Annotated[Circle | Square, msgspec.Meta(title="shape")],
        Optional[Annotated[Circle, msgspec.Meta(title="shape")]],  # noqa: UP045  # pyright knows no | on Annotated
    ],
)
def test_an_event_with_a_tag_that_the_listener_does_not_know_is_told_apart(annotation: object) -> None:
    decode = compile_event_decoder(annotation)
    assert decode(b'{"type":"circle","radius":1}') == Circle(1)
    with pytest.raises(UnknownTag) as caught:
        decode(b'{"type":"line","length":1}')
    assert caught.value.message == "Invalid value at `$.type`: invalid value 'line'"


@pytest.mark.parametrize(
    "body",
    [b'{"type":"circle"}', b'{"type":"circle","radius":"x"}', b'{"type":5}', b'{"radius":1}', b"[]", b"{"],
)
def test_an_event_with_a_known_tag_and_wrong_fields_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        compile_event_decoder(Circle | Square)(body)
    assert not isinstance(caught.value, UnknownTag)


def test_an_unknown_tag_inside_of_an_event_is_a_wrong_field() -> None:
    class Moved(msgspec.Struct, tag="moved"):
        shape: Circle | Square

    with pytest.raises(BadRequest) as caught:
        compile_event_decoder(Moved)(b'{"type":"moved","shape":{"type":"line"}}')
    assert not isinstance(caught.value, UnknownTag)
    assert [found["path"] for found in errors_of(caught.value)] == ["$.shape.type"]


def test_the_tag_may_be_any_field() -> None:
    class Made(msgspec.Struct, tag_field="kind", tag=1):
        pass

    with pytest.raises(UnknownTag):
        compile_event_decoder(Made)(b'{"kind":2}')


@pytest.mark.parametrize(("annotation", "body"), [(Order, b'{"type":"x"}'), (str, b"1"), (Colour, b'"blue"')])
def test_an_event_without_tags_has_no_unknown_ones(annotation: object, body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        compile_event_decoder(annotation)(body)
    assert not isinstance(caught.value, UnknownTag)


class Filter(msgspec.Struct, rename="camel"):
    page_size: int = 10
    tags: list[str] = []
    deep: bool = False
    name: str | None = None


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (b"", Filter()),
        (b"pageSize=3&deep=true&name=a%20b", Filter(3, [], True, "a b")),
        (b"tags=a&tags=b", Filter(tags=["a", "b"])),
        (b"tags=a", Filter(tags=["a"])),
        (b"name=a&name=b", Filter(name="b")),
        (b"name=", Filter(name="")),
        (b"other=1", Filter()),
    ],
)
def test_a_query_string_is_decoded_from_text(query: bytes, value: Filter) -> None:
    assert compile_query_decoder(Filter)(query) == value
    assert compile_query_decoder(Filter | None)(query) == value


def test_a_query_string_may_be_a_dict() -> None:
    assert compile_query_decoder(dict[str, int])(b"a=1&b=2&b=3") == {"a": 1, "b": 3}
    assert compile_query_decoder(dict[str, list[int]])(b"a=1&b=2&b=3") == {"a": [1], "b": [2, 3]}


def test_a_query_string_that_does_not_fit_is_a_bad_request_that_names_the_field() -> None:
    with pytest.raises(BadRequest) as caught:
        compile_query_decoder(Filter)(b"pageSize=many")
    assert errors_of(caught.value) == [{"in": "query", "path": "pageSize", "problem": "Expected `int`, got `str`"}]
    assert caught.value.message == "Invalid query parameter `pageSize`: expected `int`, got `str`"
    with pytest.raises(BadRequest, match="query string is not valid"):
        compile_query_decoder(Filter)(b"name=\xff")


@pytest.mark.parametrize("annotation", [int, None, list[int], Circle | int])
def test_a_query_string_has_named_values(annotation: object) -> None:
    with pytest.raises(UnsupportedTypeError, match="a query string has named values"):
        compile_query_decoder(annotation)
