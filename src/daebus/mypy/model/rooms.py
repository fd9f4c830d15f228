"""The parameters of rooms: what a name such as ``auction:{id}`` says is kept in the type of the contract."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mypy.checker import TypeChecker
from mypy.nodes import ARG_NAMED, Expression
from mypy.plugin import FunctionContext, MethodSigContext
from mypy.types import CallableType, Instance, LiteralType, Type, get_proper_type

from .reading import text

__all__ = ["MAKING", "NAMING", "name_of", "named_room", "parameters_in", "room_made"]

MAKING, NAMING = "daebus.declare.rooms.Room", "daebus.declare.rooms.Room.__call__"
"""The calls that make a contract of rooms, and that name one room."""

# An attribute of this name, which no program can read, says that the parameters are known; its type is the name.
_KNOWN = "{}"


def room_made(context: FunctionContext) -> Type:
    """The type of a contract, with the parameters of its name, if mypy knows the name."""
    made, given = get_proper_type(context.default_return_type), context.args[0]
    name = text(context.api, given[0]) if given and isinstance(context.api, TypeChecker) else None
    if name is None or not isinstance(made, Instance):
        return context.default_return_type
    known = made.copy_with_extra_attr(_KNOWN, LiteralType(name, context.api.named_generic_type("builtins.str", [])))
    for parameter in re.findall(r"\{\w+\}", name):
        known = known.copy_with_extra_attr(parameter, made)
    return known


def name_of(api: TypeChecker, expression: Expression) -> str | None:
    """The name of the contract that an expression gives; None: it is not known."""
    typ = api.lookup_type_or_none(expression)
    room = None if typ is None else get_proper_type(typ)
    kept = room.extra_attrs.attrs if isinstance(room, Instance) and room.extra_attrs is not None else {}
    name = get_proper_type(kept[_KNOWN]) if _KNOWN in kept else None
    return name.value if isinstance(name, LiteralType) and isinstance(name.value, str) else None


def _parameters_of(room: Type | None) -> Sequence[str] | None:
    """The names of the parameters of a contract; None: they are not known."""
    typ = None if room is None else get_proper_type(room)
    kept = typ.extra_attrs.attrs if isinstance(typ, Instance) and typ.extra_attrs is not None else {}
    return [name[1:-1] for name in kept if name != _KNOWN] if _KNOWN in kept else None


def named_room(context: MethodSigContext) -> CallableType:
    """The signature of ``AUCTION(id="7")``, so that mypy reports a missing, misspelt or surplus parameter."""
    signature, names = context.default_signature, _parameters_of(context.type)
    if names is None or len(signature.arg_types) != 1:
        return signature
    types, kinds = signature.arg_types * len(names), [ARG_NAMED] * len(names)
    return signature.copy_modified(arg_types=types, arg_kinds=kinds, arg_names=list(names))  # pyright: ignore[reportUnknownMemberType]  # mypy's `Bogus`


def parameters_in(api: TypeChecker, expression: Expression) -> Sequence[str] | None:
    """The names of the parameters of the contract that an expression gives; None: they are not known."""
    return _parameters_of(api.lookup_type_or_none(expression))
