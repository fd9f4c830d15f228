"""The parts of a page: what OpenAPI and AsyncAPI have in common, read by the modules of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

__all__ = ["Components", "Group", "Info", "Operation", "Parameter", "Part", "Reference", "Schema"]


class Schema(
    msgspec.Struct,
    rename={
        "ref": "$ref",
        "any_of": "anyOf",
        "one_of": "oneOf",
        "prefix_items": "prefixItems",
        "min_length": "minLength",
        "max_length": "maxLength",
        "min_items": "minItems",
        "max_items": "maxItems",
        "exclusive_minimum": "exclusiveMinimum",
        "exclusive_maximum": "exclusiveMaximum",
        "multiple_of": "multipleOf",
        "content_encoding": "contentEncoding",
        "additional_properties": "additionalProperties",
    },
):
    """A JSON Schema, as far as pages show it."""

    ref: str = ""
    type: str | list[str] = ""
    format: str = ""
    title: str = ""
    description: str = ""
    properties: dict[str, Schema] = {}
    required: list[str] = []
    items: Schema | bool | None = None
    prefix_items: list[Schema] = []
    any_of: list[Schema] = []
    one_of: list[Schema] = []
    additional_properties: Schema | bool = True
    enum: list[object] | msgspec.UnsetType = msgspec.UNSET
    const: object | msgspec.UnsetType = msgspec.UNSET
    default: object | msgspec.UnsetType = msgspec.UNSET
    examples: list[object] = []
    pattern: str = ""
    content_encoding: str = ""
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None


class Info(msgspec.Struct):
    """The ``info`` of a document."""

    title: str


class Components(msgspec.Struct):
    """The ``components`` of a document."""

    schemas: dict[str, Schema] = {}


class Parameter(msgspec.Struct):
    """A parameter of an operation; `place` is where it stands, such as ``query``."""

    name: str
    place: str
    is_required: bool
    schema: Schema
    description: str = ""


class Part(msgspec.Struct):
    """A message of an operation.

    Attributes:
        title: What it is, such as ``Body`` or ``404``.
        schema: Its schema; None: it is empty.
        description: A sentence about it.
        form: Its media type.
        kind: ``in``, ``out`` or ``error``.
    """

    title: str
    schema: Schema | None
    description: str = ""
    form: str = ""
    kind: str = "out"


class Operation(msgspec.Struct):
    """An operation.

    Attributes:
        id: Its id, unique in the page.
        badge: Its method or direction, such as ``GET`` or ``receive``.
        address: The path, channel or type of message.
        summary: One sentence.
        description: More about it.
        notes: Further facts, by their names.
        parameters: Its parameters.
        parts: Its messages.
        is_deprecated: Whether it is deprecated.
    """

    id: str
    badge: str
    address: str
    summary: str
    description: str = ""
    notes: Mapping[str, str] = {}
    parameters: Sequence[Parameter] = ()
    parts: Sequence[Part] = ()
    is_deprecated: bool = False


class Group(msgspec.Struct):
    """Operations that belong together."""

    name: str
    operations: list[Operation]


class Reference(msgspec.Struct):
    """What a page shows.

    Attributes:
        title: The name of the service.
        subject: What is shown, such as ``HTTP``.
        document: The name of the file of the document.
        groups: The operations.
        schemas: The schemas to which they refer, by name.
    """

    title: str
    subject: str
    document: str
    groups: Sequence[Group]
    schemas: Mapping[str, Schema]
