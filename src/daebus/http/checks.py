"""Checks of the path of a route and of the parameters left of its ``*``. Loads no Litestar."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from types import NoneType
from typing import NamedTuple

from msgspec import inspect as shapes

from daebus.declare.decorated import is_context
from daebus.declare.paths import (
    RESERVED,
    is_file,
    malformed_path,
    path_parameters,
    without_metadata,
    wrong_method,
    wrong_status,
)
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.declare.specs import RouteSpec
from daebus.errors import WiringProblem
from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import closest
from daebus.payloads.texts import can_be, is_text

__all__ = ["belongs_in_body", "check_route"]

_IN_BODY = (
    shapes.DataclassType,
    shapes.DictType,
    shapes.NamedTupleType,
    shapes.StructType,
    shapes.TypedDictType,
)
_MAPPINGS = (shapes.AnyType, shapes.DataclassType, shapes.DictType, shapes.StructType, shapes.TypedDictType)


class _Meaning(NamedTuple):
    """The object that Litestar passes under a reserved name, and its allowed annotations."""

    what: str
    example: str
    shapes: tuple[type[shapes.Type], ...] = ()
    types: frozenset[str] | None = frozenset()
    """Names of Litestar's types; None: any type."""


_BODILESS = ("GET", "HEAD", "TRACE")

_MEANINGS = {
    "body": _Meaning("the body as bytes", "body: bytes", (shapes.AnyType, shapes.BytesType)),
    "cookies": _Meaning("all cookies", "cookies: dict[str, str]", _MAPPINGS, None),
    "headers": _Meaning("all headers", "headers: dict[str, str]", _MAPPINGS, None),
    "query": _Meaning("all query parameters", "query: dict[str, str]", _MAPPINGS, None),
    "request": _Meaning("the request", "request: litestar.Request", (), frozenset({"ASGIConnection", "Request"})),
    "scope": _Meaning("the ASGI scope", "scope: litestar.types.Scope", _MAPPINGS, None),
    "socket": _Meaning("a WebSocket", ""),
    "state": _Meaning("the app's state", "state: litestar.datastructures.State", (), frozenset({"ImmutableState"})),
}


def check_route(spec: RouteSpec, signature: Signature) -> list[WiringProblem]:
    """All mistakes in a route's path and methods, and in the parameters left of its ``*``."""
    malformed = malformed_path(spec.path)
    if malformed is not None:
        return [spec.problem(*malformed, code="malformed-path")]
    return [
        *_check_methods(spec),
        *_check_status(spec, signature),
        *_check_names(spec, signature),
        *(problem for parameter in signature.left for problem in _check_parameter(spec, signature, parameter)),
        *_check_returns(signature),
    ]


def _check_methods(spec: RouteSpec) -> Iterator[WiringProblem]:
    if not spec.methods:
        yield spec.problem("it has no methods", 'write methods=["GET"], or leave it out', code="wrong-method")
    for method in spec.methods:
        wrong = wrong_method(method)
        if wrong is not None:
            yield spec.problem(*wrong, code="wrong-method")


def _check_status(spec: RouteSpec, signature: Signature) -> Iterator[WiringProblem]:
    returns = MISSING if _litestar_names(signature.returns) else signature.returns
    wrong = None if spec.status_code is None else wrong_status(spec.status_code, returns)
    if wrong is not None:
        yield spec.problem(*wrong, code="wrong-status")


def _check_names(spec: RouteSpec, signature: Signature) -> Iterator[WiringProblem]:
    left = [parameter.name for parameter in signature.left]
    right = {parameter.name for parameter in signature.right}
    aliases = {alias for parameter in signature.left for alias in _aliases(parameter.annotation)}
    for name in path_parameters(spec.path):
        if name in left or name in aliases:
            continue
        found = f"the path has <{name}>, but the handler does not take it"
        if name in right:
            remedy = f"move {name!r} left of the *: parameters right of it come from the container"
        else:
            spare = [other for other in left if other not in RESERVED and f"<{other}>" not in spec.path]
            close = closest(name, spare)
            remedy = f"add `{name}: str` left of the *" if close is None else f"did you mean <{close}>?"
        yield signature.problem(None, found, remedy, code="path-mismatch")


def _check_parameter(spec: RouteSpec, signature: Signature, parameter: Parameter) -> Iterator[WiringProblem]:
    name, annotation = parameter.name, parameter.annotation
    kind = inspect.signature(signature.function).parameters[name].kind
    if kind is inspect.Parameter.POSITIONAL_ONLY:
        found = "it is positional-only, but values of a request are passed by name"
        yield signature.problem(parameter, found, "remove the /", code="unfillable-parameter")
    if annotation is MISSING:
        found = "it has no annotation, so nothing can be validated"
        yield signature.problem(parameter, found, "annotate its type", code="missing-annotation")
    elif name in path_parameters(spec.path):
        yield from _check_in_path(spec, signature, parameter)
    elif name == "data" and (without := [method for method in spec.methods if method in _BODILESS]):
        yield signature.problem(
            parameter,
            f"a {without[0]} request has no body",
            "take query parameters by name, or serve the other methods by a handler of their own",
            code="body-on-get",
        )
    elif name in _MEANINGS and not is_context(parameter):
        yield from _check_reserved(spec, signature, parameter)


def _check_in_path(spec: RouteSpec, signature: Signature, parameter: Parameter) -> Iterator[WiringProblem]:
    name, annotation = parameter.name, parameter.annotation
    if name in RESERVED:
        found = f"{name!r} has a special meaning in Litestar, so it cannot be a path parameter"
        yield signature.problem(parameter, found, "rename it, here and in the path", code="reserved-name")
    elif is_file(annotation):
        if not spec.path.endswith(f"<{name}>"):
            found = "a pathlib.Path takes the rest of the URL, so other segments cannot follow it"
            yield signature.problem(parameter, found, "put it last, or annotate it as str", code="wrong-path-type")
    elif "type_decoders" not in spec.options and not is_text(annotation):
        yield signature.problem(
            parameter,
            f"a {show_type(annotation)} cannot be part of a path",
            "annotate it as str, int, float, bool, an Enum, a Literal, UUID, Decimal, a date or time, or pathlib.Path",
            code="wrong-path-type",
        )


def _check_reserved(spec: RouteSpec, signature: Signature, parameter: Parameter) -> Iterator[WiringProblem]:
    name, annotation = parameter.name, parameter.annotation
    meaning = _MEANINGS[name]
    own = _litestar_names(annotation)
    if can_be(annotation, meaning.shapes) or (own if meaning.types is None else own & meaning.types):
        return
    shown = show_type(annotation)
    rename = f"rename it, for example {name}_: Annotated[{shown}, QueryParameter(name={name!r})]"
    if belongs_in_body(annotation) and not set(spec.methods) & set(_BODILESS):
        rename = f"take the decoded body by its name: data: {shown}"
    yield signature.problem(
        parameter,
        f"{name!r} has a special meaning in Litestar, {meaning.what}, which is never of type {shown}",
        f"write {meaning.example}, or {rename}" if meaning.example else rename,
        code="reserved-name",
    )


def _check_returns(signature: Signature) -> Iterator[WiringProblem]:
    if signature.returns is MISSING and not signature.streams:
        yield signature.problem(
            None,
            "the type that it returns is not annotated",
            "annotate it: -> Reply, or -> None for 204",
            code="missing-return",
        )


def _aliases(annotation: object) -> Iterator[str]:
    """The wire names set by Litestar's markers: ``Annotated[str, PathParameter(name="id")]``."""
    for marker in typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ():
        if _from_litestar(marker) and isinstance(name := getattr(marker, "name", None), str):
            yield name


def _from_litestar(owner: object) -> bool:
    return str(getattr(owner, "__module__", "")).split(".", 1)[0].startswith("litestar")


def _litestar_names(annotation: object) -> set[str]:
    """The names of the Litestar types in an annotation, found without importing Litestar."""
    bare = without_metadata(annotation)
    origin = typing.get_origin(bare) or bare
    parts: tuple[object, ...] = (bare,)
    if isinstance(origin, type):
        parts = (bare, *origin.__mro__, *typing.get_args(bare))
    elif origin is not bare:
        parts = typing.get_args(bare)
    return {str(getattr(part, "__name__", part)) for part in parts if _from_litestar(part)}


def belongs_in_body(annotation: object) -> bool:
    """Whether a type is a struct or similar (or optional), which a query string cannot hold."""
    bare = without_metadata(annotation)
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(bare) if member is not NoneType]
        return bool(members) and all(map(belongs_in_body, members))
    return can_be(bare, _IN_BODY)
