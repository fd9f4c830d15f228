"""The corrections of Litestar's OpenAPI document: schemas by msgspec, and all errors that the service answers."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from types import NoneType

import msgspec
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import OpenAPI
from litestar.params import DependencyKwarg, KwargDefinition
from litestar.response import Response
from typing_extensions import override

from daebus.asgi.problems import PROBLEM, Problem, phrase
from daebus.declare.decorated import payload_parameters
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.declare.specs import RouteSpec
from daebus.doors.inputs import wire_name
from daebus.payloads.docstrings import split_docstring
from daebus.payloads.schemas import REFERENCE, Json, Schemas, anything, described_fields, objects_in, reachable

from .bodies import correct_downloads, offer_msgpack, uploaded
from .errors import BODY_ERRORS, SERVER_ERRORS, InvalidInput, problem_response
from .routes import DocumentedRoute, document_path
from .security import Security

__all__ = ["Corrections", "corrected"]

_TEXTS: tuple[type, ...] = (
    PurePath,
    re.Pattern,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)


class _Slot(msgspec.Struct, frozen=True):
    """A place of the document whose schema is that of a type.

    Attributes:
        holder: The object that has the schema, as ``schema``.
        kind: The type.
        default: What the schema gives as the default; `MISSING`: nothing.
    """

    holder: Json
    kind: object
    default: object = MISSING


class Corrections:
    """Corrects the document of an app.

    Args:
        routes: Its routes.
        settings: The options of the Litestar app.
        packs: Whether bodies and answers may also be MessagePack.
    """

    def __init__(self, routes: Sequence[DocumentedRoute], settings: Mapping[str, object], *, packs: bool) -> None:
        self._routes = routes
        self._settings = settings
        self._packs = packs
        self._prefix = str(settings.get("path") or "")
        self._has_dto = bool(settings.get("dto"))
        self._has_return_dto = bool(settings.get("return_dto") or settings.get("dto"))

    def apply(self, document: Json) -> Json:
        """Correct a document, in place; returns it."""
        paths: Mapping[str, Json] = document.get("paths", {})
        slots: list[_Slot] = []
        found: list[Json] = []
        security = Security(document, self._settings)
        for route in self._routes:
            path = document_path(route.spec, self._prefix)
            for method in route.spec.methods:
                operation = paths.get(path, {}).get(method.lower())
                if operation is not None:
                    found.append(operation)
                    body = uploaded(route.spec, route.endpoint.signature)
                    if body is not None:
                        operation.setdefault("requestBody", body)
                    correct_downloads(operation)
                    slots += self._slots(route.spec, route.endpoint.signature, operation)
                    _name_successes(operation["responses"])
                    security.describe(operation, route, method=method, path=path)
                    _add_errors(operation["responses"], takes_body="requestBody" in operation)
                    slots += _problems(operation["responses"])
        _fill(document, [slot for slot in slots if _is_known(slot.kind)])
        document["components"] = {name: part for name, part in document["components"].items() if part}
        if self._packs:
            offer_msgpack(found)
        return document

    def _slots(self, spec: RouteSpec, signature: Signature, operation: Json) -> Iterator[_Slot]:
        described = {**_described(spec), **split_docstring(inspect.getdoc(spec.function) or "")[1]}
        plain = {wire_name(each): each for each in signature.left if _is_plain(each)}
        for given in operation.get("parameters", ()):
            parameter = plain.get(given["name"])
            if parameter is not None and given["in"] in ("path", "query"):
                _describe(given, described.get(parameter.name))
                yield _Slot(given, parameter.annotation, parameter.default)
        data = next((each for each in signature.left if each.name == "data"), None)
        if data is not None and not (self._has_dto or spec.options.get("dto")):
            body = operation.get("requestBody", {})
            for content in body.get("content", {}).values():
                yield _Slot(content, data.annotation)
        if not (self._has_return_dto or spec.options.get("return_dto") or spec.options.get("dto")):
            success = operation["responses"].get(str(spec.status_code or 200), {})
            yield from (
                _Slot(content, _given(signature.returns))
                for media, content in success.get("content", {}).items()
                if re.search("json|msgpack|event-stream", media)
            )


def corrected(config: OpenAPIConfig, corrections: Corrections) -> OpenAPIConfig:
    """A copy of a configuration, whose document is corrected wherever Litestar uses it."""
    kind: type[OpenAPIConfig] = type(config)
    made = copy(config)
    made.__class__ = type(kind.__name__, (_CorrectingConfig, kind), {"corrections": corrections})
    return made


class _CorrectingConfig(OpenAPIConfig):
    corrections: Corrections

    @override
    def to_openapi_schema(self) -> OpenAPI:
        made = super().to_openapi_schema()
        made.__class__ = type("OpenAPI", (_CorrectedDocument,), {"corrections": self.corrections})
        return made


class _CorrectedDocument(OpenAPI):
    corrections: Corrections

    @override
    def to_schema(self) -> Json:
        return self.corrections.apply(super().to_schema())


def _is_plain(parameter: Parameter) -> bool:
    """Whether Litestar knows no more of a parameter than its annotation."""
    metadata = typing.get_args(parameter.annotation) if hasattr(parameter.annotation, "__metadata__") else ()
    return not any(isinstance(part, KwargDefinition | DependencyKwarg) for part in (*metadata, parameter.default))


def _given(returns: object) -> object:
    """The type of the body of a success."""
    origin = typing.get_origin(returns)
    if isinstance(origin, type) and issubclass(origin, Response):
        return typing.get_args(returns)[0]
    return NoneType if returns is MISSING else returns


def _described(spec: RouteSpec) -> Mapping[str, str]:
    """What is known of the fields of the payload, if the route is a door."""
    if spec.opens is None:
        return {}
    payload = next(iter(payload_parameters(spec.opens.read_signature())), None)
    return {} if payload is None else described_fields(payload.annotation)


def _describe(given: Json, text: str | None) -> None:
    if text:
        given.setdefault("description", text)


def _name_successes(responses: Json) -> None:
    """Say `OK` rather than `Request fulfilled, document follows`."""
    for status, response in responses.items():
        if status.isdecimal() and response["description"] == HTTPStatus(int(status)).description:
            response["description"] = phrase(int(status))


def _add_errors(responses: Json, *, takes_body: bool) -> None:
    errors = {**(BODY_ERRORS if takes_body else {}), **SERVER_ERRORS}
    for status, text in errors.items():
        responses.setdefault(status, problem_response(text))


def _problems(responses: Json) -> Iterator[_Slot]:
    """The errors that have the form of daebus, which users may document otherwise."""
    for status, response in responses.items():
        content: Json = response.get("content", {}).get(PROBLEM, {})
        if content.get("schema", {}).get("$ref", "").endswith("/Problem"):
            yield _Slot(content, InvalidInput if status == "400" else Problem)


def _is_known(kind: object) -> bool:
    """Whether msgspec has a schema for a type: what Litestar or its plugins know alone stays theirs."""
    try:
        Schemas([kind], _custom)
    except (TypeError, NameError):
        return False
    return True


def _custom(kind: type) -> Json:
    """The schemas of classes that Litestar encodes, and msgspec does not know."""
    return {"type": "string"} if issubclass(kind, _TEXTS) else anything(kind)


def _fill(document: Json, slots: Sequence[_Slot]) -> None:
    """Put the schemas into their places, and the components that are used into the document."""
    schemas = Schemas([slot.kind for slot in slots], _custom)
    old: Json = document.setdefault("components", {}).get("schemas", {})
    for slot in slots:
        slot.holder["schema"] = {}
    renamed = {name: f"{name}_of_litestar" for name in old.keys() & schemas.components.keys()}
    _rename([*document["paths"].values(), *old.values()], renamed)
    for slot in slots:
        slot.holder["schema"] = _with_default(schemas.of(slot.kind), slot.default)
    known = {**{renamed.get(name, name): schema for name, schema in old.items()}, **schemas.components}
    used = reachable(document["paths"], known)
    document["components"]["schemas"] = {name: known[name] for name in sorted(used)}


def _with_default(schema: Json, default: object) -> Json:
    if default in (MISSING, None, msgspec.UNSET):
        return schema
    return {**schema, "default": msgspec.to_builtins(default, str_keys=True)}


def _rename(parts: Iterable[object], names: Mapping[str, str]) -> None:
    for part in objects_in(list(parts)):
        name = str(part.get("$ref", "")).removeprefix(REFERENCE)
        if name in names:
            part["$ref"] = f"{REFERENCE}{names[name]}"
