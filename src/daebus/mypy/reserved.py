"""The names that have a special meaning in Litestar: the types that a parameter of such a name may have."""

from __future__ import annotations

from mypy.types import (
    AnyType,
    Instance,
    ProperType,
    TypedDictType,
    TypeVarLikeType,
    UnionType,
    get_proper_type,
)

from daebus.mypy.model.handlers import Handler, Parameter
from daebus.mypy.model.reports import SIGNATURE, report, show

__all__ = ["check_reserved"]

_SCALARS = ("builtins.bool", "builtins.float", "builtins.int", "builtins.str")
_BYTES = ("builtins.bytes", "builtins.bytearray", "builtins.memoryview")
_STRUCT = "msgspec.Struct"
_MAPPING = "typing.Mapping"
_WRITE = {
    "body": "body: bytes",
    "cookies": "cookies: dict[str, str]",
    "headers": "headers: dict[str, str]",
    "query": "query: dict[str, str]",
    "request": "request: litestar.Request",
    "scope": "scope: litestar.types.Scope",
    "state": "state: litestar.datastructures.State",
}
# Of these Litestar passes an object of its own; of the others but the body, values by name.
_OBJECTS = {"request": ("ASGIConnection", "Request"), "socket": (), "state": ("ImmutableState",)}


def check_reserved(handler: Handler, parameter: Parameter) -> None:
    """Report a parameter to which Litestar would pass something of another type."""
    name, typ = parameter.name, parameter.type
    if _is_allowed(name, typ):
        return
    shown = show(handler.api, typ)
    remedy = f'rename it, for example {name}_: Annotated[{shown}, QueryParameter(name="{name}")]'
    if name == "body" and not (isinstance(typ, Instance) and typ.type.fullname in _SCALARS):
        remedy = f"take the decoded body by its name: data: {shown}"
    elif name in _WRITE:
        remedy = f"write {_WRITE[name]}, or {remedy}"
    found = f'"{name}" has a special meaning in Litestar, which cannot be of type {shown}'
    report(handler.api, SIGNATURE, parameter.at, handler.subject(parameter), found, remedy)


def _is_allowed(name: str, typ: ProperType) -> bool:
    if isinstance(typ, UnionType):
        return all(_is_allowed(name, get_proper_type(item)) for item in typ.items)
    if isinstance(typ, AnyType | TypeVarLikeType):
        return True
    if name in _OBJECTS:
        return isinstance(typ, Instance) and any(base.name in _OBJECTS[name] for base in typ.type.mro)
    if not isinstance(typ, Instance):
        return isinstance(typ, TypedDictType) and name != "body"
    if typ.type.fallback_to_any or typ.type.fullname == "builtins.object":
        return True
    if name == "body":
        return any(map(typ.type.has_base, _BYTES))
    return _holds_names(typ)


def _holds_names(typ: Instance) -> bool:
    """Whether a type can hold values by name: a mapping, a struct, a dataclass, or one of Litestar's own."""
    is_litestar = any(base.module_name.partition(".")[0] == "litestar" for base in typ.type.mro)
    is_declared = typ.type.has_base(_STRUCT) or "dataclass" in typ.type.metadata or "attrs" in typ.type.metadata
    return is_litestar or is_declared or typ.type.has_base(_MAPPING)
