"""JSON decoding and encoding with msgspec: compiled once for each handler, with errors that name the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast
from urllib.parse import parse_qs

import msgspec
from msgspec import inspect as shapes
from typing_extensions import override

from daebus.errors import BadRequest
from daebus.mistakes.show_type import show_type

from .inputs import Json, JsonInput, ValuesInput
from .mistake_search import find_mistakes
from .mistakes import PAYLOAD, Mistake, Mistakes

__all__ = [
    "UNDECODABLE",
    "Decoder",
    "QueryParser",
    "UnknownTag",
    "UnresolvedTypeError",
    "UnsupportedTypeError",
    "compile_decoder",
    "compile_event_decoder",
    "compile_query_decoder",
    "compile_query_parser",
    "encode",
    "invalid_input",
    "is_json_type",
    "require_json_type",
]

Decoder = Callable[[bytes | msgspec.Raw], object]
QueryParser = Callable[[bytes], dict[str, object]]

encode: Callable[[object], bytes] = msgspec.json.Encoder().encode

UNDECODABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""The errors of msgspec for bytes that cannot be decoded: no JSON or another type, no UTF-8, nested too deeply."""

_ARRAYS = (shapes.ListType, shapes.SetType, shapes.FrozenSetType, shapes.VarTupleType, shapes.TupleType)
_NO_KEYS = (
    *_ARRAYS,
    shapes.NoneType,
    shapes.BoolType,
    shapes.DictType,
    shapes.StructType,
    shapes.DataclassType,
    shapes.NamedTupleType,
    shapes.TypedDictType,
)
# The type is named where the error is shown.
_WITH_TYPE = re.compile(r" - type `.*` is not supported$")


class UnsupportedTypeError(Exception):
    """A type that JSON cannot represent, or that msgspec cannot tell apart. The text says which and why."""

    @property
    def remedy(self) -> str:
        """Advice for the author of the type."""
        if "must be tagged" in str(self):
            return "give each of them a tag: class Created(msgspec.Struct, tag=True)"
        return "use a msgspec.Struct, a dataclass, or what msgspec supports"


class UnresolvedTypeError(UnsupportedTypeError):
    """A type with an annotation whose name does not exist, or not yet."""

    @property
    @override
    def remedy(self) -> str:
        return "import what it names where the type is defined, outside of `if TYPE_CHECKING:`, or correct it"


def require_json_type(annotation: object, besides: Callable[[type], bool] = lambda _: False) -> None:
    """Refuse a type that cannot be sent over the wire, however deeply the unsuitable part is nested.

    Args:
        annotation: The type.
        besides: Types without a JSON form that are allowed all the same, such as the files of a form.

    Raises:
        UnsupportedTypeError: It names the part.
    """
    try:
        shape = shapes.type_info(cast("type", annotation))
        msgspec.json.Decoder(cast("type", annotation))
    except NameError as error:
        raise UnresolvedTypeError(f"an annotation in it cannot be resolved: {error}") from error
    except (TypeError, RecursionError) as error:
        raise UnsupportedTypeError(_WITH_TYPE.sub("", str(error).split("\n", 1)[0])) from error
    for part in _parts(shape, set()):
        # `object` is `Any` for those who write no `Any`.
        if isinstance(part, shapes.CustomType) and part.cls is not object and not besides(part.cls):
            raise UnsupportedTypeError(f"{show_type(part.cls)} has no JSON form")
        if isinstance(part, shapes.DictType) and any(isinstance(key, _NO_KEYS) for key in _members(part.key_type)):
            raise UnsupportedTypeError(
                "the keys of a JSON object are text, and the type of a dict's keys has no such form"
            )


def is_json_type(annotation: object) -> bool:
    """Whether a type can be sent over the wire."""
    try:
        require_json_type(annotation)
    except UnsupportedTypeError:
        return False
    return True


def _members(shape: shapes.Type) -> Iterator[shapes.Type]:
    """The members of a union, or the type itself, without annotations that only describe it."""
    match shape:
        case shapes.Metadata():
            yield from _members(shape.type)
        case shapes.UnionType():
            for part in shape.types:
                yield from _members(part)
        case _:
            yield shape


def _parts(shape: object, seen: set[int]) -> Iterator[object]:
    if id(shape) in seen:
        return
    seen.add(id(shape))
    yield shape
    for field in getattr(shape, "__struct_fields__", ()):
        value = getattr(shape, field)
        for part in cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,):
            if isinstance(part, shapes.Type | shapes.Field):
                yield from _parts(part, seen)


def compile_decoder(annotation: object, refusal: Callable[[BadRequest], Exception] | None = None) -> Decoder:
    """Compile a function that decodes and validates JSON.

    The function raises `BadRequest`, which lists all mistakes: the path of each value and what was expected.

    Args:
        annotation: The expected type.
        refusal: Makes the error that the function raises instead, from the `BadRequest`.

    Raises:
        UnsupportedTypeError: The type cannot be decoded.
    """
    require_json_type(annotation)
    decode = cast("msgspec.json.Decoder[object]", msgspec.json.Decoder(cast("type", annotation))).decode

    def decode_or_refuse(body: bytes | msgspec.Raw) -> object:
        try:
            return decode(body)
        except UNDECODABLE as error:
            problem = invalid_input(error, body, annotation)
            raise problem if refusal is None else refusal(problem) from None

    return decode_or_refuse


def invalid_input(error: Exception, body: Json, annotation: object) -> BadRequest:
    """The error for the sender of JSON that could not be decoded, with all its mistakes.

    Args:
        error: The error that msgspec raised, one of `UNDECODABLE`.
        body: The JSON.
        annotation: The type that was expected.
    """
    if isinstance(error, msgspec.ValidationError):
        return find_mistakes(JsonInput(), body, annotation, error).as_error()
    problem = "nested too deeply" if isinstance(error, RecursionError) else f"not valid JSON: {error}"
    return BadRequest(
        f"The message is {problem}", details=Mistakes([Mistake(PAYLOAD, "$", f"It is {problem}")]).details
    )


class UnknownTag(BadRequest):
    """The listener does not know the tag of the event: a newer publisher, no error."""


def compile_event_decoder(annotation: object) -> Decoder:
    """Compile a decoder like `compile_decoder`, but an event with an unknown tag raises `UnknownTag`."""
    require_json_type(annotation)
    tag = _tag_field(shapes.type_info(cast("type", annotation)))
    if tag is None:
        return compile_decoder(annotation)
    decode = cast("msgspec.json.Decoder[object]", msgspec.json.Decoder(cast("type", annotation))).decode
    ending = f" - at `$.{tag}`"

    def decode_known(body: bytes | msgspec.Raw) -> object:
        try:
            return decode(body)
        except UNDECODABLE as error:
            text = str(error)
            if text.startswith("Invalid value") and text.endswith(ending):
                raise UnknownTag(f"Invalid value at `$.{tag}`: i{text[1:].removesuffix(ending)}") from None
            raise invalid_input(error, body, annotation) from None

    return decode_known


def compile_query_decoder(annotation: object, place: str = "query") -> Decoder:
    """Compile a decoder like `compile_decoder`, for the query string of a URL, where every value is text.

    Numbers, booleans and similar values are read from the text; see `compile_query_parser`.

    Args:
        annotation: The type.
        place: Where the values are from, for the mistakes that senders are told.

    Raises:
        UnsupportedTypeError: The type has no named values, or cannot be decoded.
    """
    parse, kind = compile_query_parser(annotation), cast("type[object]", annotation)

    def decode_or_refuse(query: bytes | msgspec.Raw) -> object:
        values: Mapping[str, object] = {}
        try:
            values = parse(bytes(query))
            return msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            found = find_mistakes(ValuesInput(), values, annotation, error, place=place, path="")
            raise found.as_error() from None
        except ValueError as error:
            found = Mistakes([Mistake(place, "$", f"It is not valid: {error}")])
            raise BadRequest(f"The query string is not valid: {error}", details=found.details) from None

    return decode_or_refuse


def compile_query_parser(annotation: object) -> QueryParser:
    """Compile a function that splits a query string into text values by name, for conversion to a type.

    If a name is repeated, the last value counts; a field that takes several values gets them all. The function raises
    `ValueError` for text that is not UTF-8.

    Raises:
        UnsupportedTypeError: The type has no named values, or cannot be decoded.
    """
    require_json_type(annotation)
    named = _named_values(shapes.type_info(cast("type", annotation)))
    takes_several = {name: _is_array(shape) for name, shape in named.items()}
    others = takes_several.pop("*", False)

    def parse(query: bytes) -> dict[str, object]:
        parsed = parse_qs(query.decode(), keep_blank_values=True)
        return {name: given if takes_several.get(name, others) else given[-1] for name, given in parsed.items()}

    return parse


def _named_values(shape: shapes.Type) -> dict[str, shapes.Type]:
    """The fields of an object by their names on the wire; ``*`` stands for any other name."""
    named: dict[str, shapes.Type] = {}
    for part in [part for part in _members(shape) if not isinstance(part, shapes.NoneType)] or [shape]:
        match part:
            case shapes.StructType(array_like=False) | shapes.DataclassType() | shapes.TypedDictType():
                named.update({field.encode_name: field.type for field in part.fields})
            case shapes.DictType():
                named["*"] = part.value_type
            case shapes.AnyType():
                pass
            case _:
                raise UnsupportedTypeError("a query string has named values, which need a struct or a dict")
    return named


def _is_array(shape: shapes.Type) -> bool:
    return any(isinstance(part, _ARRAYS) for part in _members(shape))


def _tag_field(shape: shapes.Type) -> str | None:
    fields = (part.tag_field for part in _members(shape) if isinstance(part, shapes.StructType))
    return next((field for field in fields if field is not None), None)
