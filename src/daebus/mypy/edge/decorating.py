"""Options of decorators with overloads: what is wrong is told of the one option, not of all overloads."""

from __future__ import annotations

from mypy.checker import TypeChecker
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import ArgKind, CallExpr
from mypy.plugin import MethodSigContext
from mypy.types import CallableType, FunctionLike, Instance, get_proper_type

from daebus.mypy.calls import lenient, with_types

__all__ = ["DECORATING", "check_options"]

DECORATING = frozenset({"action", "listen"})
"""The methods to which `check_options` belongs, of any blueprint or app."""

_RECORDER = "daebus.declare.recorder.Recorder"

_DOORS = ("http", "socket", "sse")
"""Options whose absence is told with the handler, as it depends on it."""


def check_options(context: MethodSigContext) -> FunctionLike:
    """The signature of a decorator; one that takes any arguments, if it is the right one and a mistake was reported."""
    api, call, signature = context.api, context.context, context.default_signature
    if not isinstance(api, TypeChecker) or not isinstance(call, CallExpr) or any(map(ArgKind.is_star, call.arg_kinds)):
        return signature
    owner = get_proper_type(context.type)
    is_recorder = isinstance(owner, Instance) and owner.type.has_base(_RECORDER)
    if not is_recorder or not context.args or len(context.args[0]) != 1:
        return signature
    with api.msg.filter_errors(), api.local_type_map:
        given = get_proper_type(api.expr_checker.accept(context.args[0][0]))
    wanted = get_proper_type(signature.arg_types[0])
    if not isinstance(given, Instance) or not isinstance(wanted, Instance):
        return signature
    if not given.type.has_base(wanted.type.fullname):
        return signature
    made = with_types(signature, wanted, map_instance_to_supertype(given, wanted.type))
    return signature if _is_right(api, call, made) else lenient(made)


def _is_right(api: TypeChecker, call: CallExpr, signature: CallableType) -> bool:
    known = set(signature.with_unpacked_kwargs().arg_names)
    kept = [index for index, name in enumerate(call.arg_names) if name is None or name in known or name not in _DOORS]
    args, kinds = [call.args[index] for index in kept], [call.arg_kinds[index] for index in kept]
    names = [call.arg_names[index] for index in kept]
    with api.msg.filter_errors(save_filtered_errors=True) as found, api.local_type_map:
        api.expr_checker.check_call(signature, args, kinds, call, names)
    if found.has_new_errors():
        api.msg.add_errors(found.filtered_errors())
    return not found.has_new_errors() and len(kept) == len(call.args)
