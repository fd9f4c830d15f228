"""The reference of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from daebus.payloads.schemas import Json

from .reference import Components, Group, Info, Operation, Parameter, Part, Reference, Schema

__all__ = ["read_openapi"]

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")


class _Given(msgspec.Struct, rename={"place": "in"}):
    name: str
    place: str
    schema: Schema = msgspec.field(default_factory=Schema)
    required: bool = False
    description: str = ""


class _Content(msgspec.Struct):
    schema: Schema | None = None


class _Message(msgspec.Struct):
    content: dict[str, _Content] = {}
    description: str = ""


class _Operation(msgspec.Struct, rename="camel"):
    operation_id: str = ""
    summary: str = ""
    description: str = ""
    tags: list[str] = []
    parameters: list[_Given] = []
    request_body: _Message | None = None
    responses: dict[str, _Message] = {}
    security: list[dict[str, list[str]]] = []
    deprecated: bool = False


class _Document(msgspec.Struct):
    info: Info
    paths: dict[str, dict[str, object]] = {}
    components: Components = msgspec.field(default_factory=Components)


def read_openapi(document: Json) -> Reference:
    """The reference of a document of version 3.1."""
    read = msgspec.convert(document, _Document)
    groups: dict[str, Group] = {}
    for path, item in read.paths.items():
        for method in _METHODS:
            if method in item:
                given = msgspec.convert(item[method], _Operation)
                name = next(iter(given.tags), "")
                group = groups.setdefault(name, Group(name or "Other routes", []))
                group.operations.append(_operation(path, method, given))
    return Reference(read.info.title, "HTTP", "openapi.json", list(groups.values()), read.components.schemas)


def _operation(path: str, method: str, given: _Operation) -> Operation:
    return Operation(
        id=given.operation_id or f"{method}-{path}",
        badge=method.upper(),
        address=path,
        summary=given.summary,
        description=given.description,
        notes={"Needs": text} if (text := _security(given)) else {},
        parameters=[
            Parameter(one.name, one.place, one.required, one.schema, one.description) for one in given.parameters
        ],
        parts=[*_body(given.request_body), *_answers(given)],
        is_deprecated=given.deprecated,
    )


def _security(given: _Operation) -> str:
    names = [" and ".join(one) for one in given.security if one]
    return f"{' or '.join(names)}{' (optional)' if {} in given.security else ''}" if names else ""


def _body(body: _Message | None) -> Iterator[Part]:
    if body is not None:
        for media, content in body.content.items():
            yield Part("Body", content.schema, body.description, media, kind="in")


def _answers(given: _Operation) -> Iterator[Part]:
    for status, response in given.responses.items():
        kind = "out" if status[:1] in "123" else "error"
        if not response.content:
            yield Part(status, None, response.description, kind=kind)
        for media, content in response.content.items():
            yield Part(status, content.schema, response.description, media, kind=kind)
