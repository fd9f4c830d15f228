"""The options of a route, checked against the parameters of Litestar's route handlers, to which they are passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_type_hints

from mypy.checker import TypeChecker
from mypy.nodes import ARG_NAMED, ARG_POS, Expression, FuncDef, LambdaExpr, TempNode, TypeInfo
from mypy.types import AnyType, CallableType, TypeOfAny, get_proper_type

from daebus.declare.paths import RouteOptions
from daebus.mypy.model.handlers import Handler

__all__ = ["check_options"]

_MODULE, _CLASS = "litestar.handlers.http_handlers.base", "HTTPRouteHandler"
# `raises` may have errors of daebus, which Litestar's type of it excludes; others are refused at the start.
_OWN = frozenset({"path", "methods", "status_code", "timeout", "raises", "requires"})
_TYPED = frozenset(name for name, hint in get_type_hints(RouteOptions).items() if hint in (str, bool, Sequence[str]))
_SET_BY_ROUTE = frozenset({"self", "path", "http_method", "status_code", "sync_to_thread", "kwargs"})


def check_options(handler: Handler) -> None:
    """Let mypy check the types of the options that Litestar has."""
    api, call = handler.api, handler.call
    signature = _signature(api)
    if signature is None:
        return
    known = [name for name in signature.arg_names if name is not None and name not in _SET_BY_ROUTE]
    anything = TempNode(AnyType(TypeOfAny.special_form), context=call)
    names: list[str | None] = [None, "http_method"]
    values: list[Expression] = [anything, anything]
    for name, value in zip(call.arg_names, call.args, strict=True):
        if name is None or name in _OWN:
            continue
        # mypy itself reports a name that is not known, and a value of another type than these.
        if name in known and name not in _TYPED and not isinstance(value, LambdaExpr):
            names.append(name)
            values.append(value)
    with api.local_type_map:
        api.expr_checker.check_call(signature, values, [ARG_POS, *[ARG_NAMED] * (len(values) - 1)], call, names)


def _signature(api: TypeChecker) -> CallableType | None:
    module = api.modules.get(_MODULE)
    symbol = None if module is None else module.names.get(_CLASS)
    init = symbol.node.get("__init__") if symbol is not None and isinstance(symbol.node, TypeInfo) else None
    typ = get_proper_type(init.node.type) if init is not None and isinstance(init.node, FuncDef) else None
    return typ if isinstance(typ, CallableType) else None
