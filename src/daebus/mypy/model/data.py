"""Types: which can be decoded from a message, and which certainly cannot."""

from __future__ import annotations

import sys

from mypy.expandtype import expand_type_by_instance
from mypy.nodes import AssignmentStmt, CallExpr, TypeInfo, Var
from mypy.typeops import map_type_from_supertype
from mypy.types import Instance, ProperType, TupleType, UnionType, get_proper_type

__all__ = ["are_alike", "fields_of", "foreign_part"]

_MADE_OF = frozenset({"dataclass", "dataclass_tag", "attrs", "attrs_tag"})
_NEUTRAL = frozenset({"abc", "typing", "typing_extensions"})
_PLAIN = frozenset({"builtins", "msgspec", *sys.stdlib_module_names})


def foreign_part(typ: ProperType) -> Instance | None:
    """The part of a type that cannot be decoded from JSON, such as a plain class; None: none is known."""
    if isinstance(typ, UnionType | TupleType):
        return next((part for item in typ.items if (part := foreign_part(get_proper_type(item))) is not None), None)
    if not isinstance(typ, Instance):
        return None
    if _is_foreign(typ.type):
        return typ
    if typ.type.module_name in _PLAIN:
        return next((part for item in typ.args if (part := foreign_part(get_proper_type(item))) is not None), None)
    return None


def _is_foreign(info: TypeInfo) -> bool:
    if (
        info.is_enum
        or info.is_named_tuple
        or info.is_newtype
        or info.typeddict_type is not None
        or info.fallback_to_any
    ):
        return False
    if info.has_base("msgspec.Struct") or _MADE_OF & info.metadata.keys():
        return False
    # A class that extends one of another library may be known to msgspec for that.
    bases = [base for base in info.mro if base.fullname != "builtins.object" and base.module_name not in _NEUTRAL]
    return bool(bases) and all(base.module_name.partition(".")[0] not in _PLAIN for base in bases)


def are_alike(typ: ProperType) -> bool:
    """Whether it is a union of structs that cannot be told apart, as one of them has no tag."""
    items = [get_proper_type(item) for item in typ.items] if isinstance(typ, UnionType) else []
    structs = [item.type for item in items if isinstance(item, Instance) and item.type.has_base("msgspec.Struct")]
    return len(structs) > 1 and not all(map(_is_tagged, structs))


def _is_tagged(info: TypeInfo) -> bool:
    return any({"tag", "tag_field"} & base.defn.keywords.keys() or base.fallback_to_any for base in info.mro)


def fields_of(typ: ProperType) -> dict[str, ProperType] | None:
    """The fields of a struct or a dataclass by their names in JSON; None: it is another type, or they are not known."""
    if not isinstance(typ, Instance) or typ.type.fallback_to_any:
        return None
    if not typ.type.has_base("msgspec.Struct") and not _MADE_OF & typ.type.metadata.keys():
        return None
    fields: dict[str, ProperType] = {}
    for base in reversed(typ.type.mro[:-1]):  # without `object`, which has attributes of its own
        if "rename" in base.defn.keywords or _has_renamed(base):
            return None
        for name, symbol in base.names.items():
            node = symbol.node
            if (
                isinstance(node, Var)
                and node.is_initialized_in_class
                and not node.is_classvar
                and node.type is not None
            ):
                known = map_type_from_supertype(node.type, typ.type, base)
                fields[name] = get_proper_type(expand_type_by_instance(known, typ))
    return fields


def _has_renamed(info: TypeInfo) -> bool:
    """Whether a field has a name of its own in JSON: ``msgspec.field(name="id")``."""
    made = [statement.rvalue for statement in info.defn.defs.body if isinstance(statement, AssignmentStmt)]
    return any(isinstance(value, CallExpr) and "name" in value.arg_names for value in made)
