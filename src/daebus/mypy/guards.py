"""The guards of ``requires=``: their parameters against the container and against the handler's left side."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.nodes import Expression, LambdaExpr, ListExpr, TupleExpr
from mypy.subtypes import is_subtype
from mypy.types import AnyType, CallableType, get_proper_type

from daebus.mypy.model.containers import Container
from daebus.mypy.model.handlers import Handler, Parameter
from daebus.mypy.model.kinds import PARTS
from daebus.mypy.model.reading import keyword
from daebus.mypy.model.reports import SIGNATURE, WIRING, report, show, show_both

__all__ = ["check_guards"]


def check_guards(handler: Handler, container: Container | None) -> None:
    """Report guards that the registration refuses."""
    for expression in _guards(keyword(handler.call, "requires")):
        with handler.api.msg.filter_errors(), handler.api.local_type_map:
            typ = get_proper_type(handler.api.expr_checker.accept(expression))
        if isinstance(typ, CallableType) and not any(kind.is_star() for kind in typ.arg_kinds) and typ.arg_types:
            _check_user(handler, container, expression, typ)
            _check_values(handler, expression, typ)


def _guards(given: Expression | None) -> Iterator[Expression]:
    for expression in given.items if isinstance(given, ListExpr | TupleExpr) else (given,):
        if expression is not None and not isinstance(expression, LambdaExpr):
            yield expression


def _check_user(handler: Handler, container: Container | None, at: Expression, guard: CallableType) -> None:
    wanted = get_proper_type(guard.arg_types[0])
    if container is None or isinstance(wanted, AnyType):
        return
    given = [provider.gives for provider in container.providers() if provider.gives is not None]
    if not any(is_subtype(one, wanted) for one in given):
        found = (
            f"no provider of {container.name} gives {show(handler.api, wanted)}, the user of the guard {_name(guard)}"
        )
        report(handler.api, WIRING, at, handler.name, found, f"add `user = Identity(find_user)` to {container.name}")


def _check_values(handler: Handler, at: Expression, guard: CallableType) -> None:
    values = list(zip(guard.arg_names, guard.arg_types, strict=True))[1:]
    payloads = (
        [one for one in handler.left if not any(one.is_a(part) for part in PARTS)] if not handler.kind.free else []
    )
    for name, typ in values:
        named: Parameter | None = next((one for one in handler.left if one.name == name), None)
        given = named or (payloads[0] if len(values) == 1 and len(payloads) == 1 else None)
        if given is None:
            found = f'the guard {_name(guard)} asks for "{name}", which is not left of the *'
            report(handler.api, SIGNATURE, at, handler.name, found, "name one of the parameters of the handler")
        elif not is_subtype(given.type, get_proper_type(typ)):
            shown, wanted = show_both(handler.api, given.type, get_proper_type(typ))
            found = f'the guard {_name(guard)} takes "{name}" as {wanted}, and it is {shown}'
            report(handler.api, SIGNATURE, at, handler.name, found, f"annotate it as {shown}")


def _name(guard: CallableType) -> str:
    return (guard.name or "function").split(" of ")[0]
