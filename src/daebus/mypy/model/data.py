"""Types: which can be decoded from a message, and which certainly cannot."""

from __future__ import annotations

import sys

from mypy.nodes import TypeInfo
from mypy.types import Instance, ProperType, TupleType, UnionType, get_proper_type

__all__ = ["foreign_part"]

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
