"""The arguments of a provider, checked against the signature of what the provider calls."""

from __future__ import annotations

from mypy.checker import TypeChecker
from mypy.nodes import (
    ARG_NAMED,
    ARG_NAMED_OPT,
    ARG_OPT,
    ARG_POS,
    CallExpr,
    Expression,
    LambdaExpr,
    MemberExpr,
    TempNode,
)
from mypy.plugin import FunctionSigContext
from mypy.types import AnyType, CallableType, Instance, ProperType, TypeOfAny, get_proper_type

from daebus.mypy.model.containers import is_provider, read_provider

__all__ = ["check_arguments"]

# The caller of one of these may pass the missing arguments.
_CALLED = ("Callable", "Coroutine", "Factory")
_OPTIONAL = {ARG_POS: ARG_OPT, ARG_NAMED: ARG_NAMED_OPT}
_OWN = ("expires", "subject", "forward", "schemes")
"""The arguments of an `Identity` that its function does not get."""
_ANYTHING = AnyType(TypeOfAny.special_form)


def check_arguments(context: FunctionSigContext, provider: str) -> None:
    """Let mypy check the arguments of a provider like the arguments of the call that the provider makes."""
    api, call = context.api, context.context
    if not isinstance(api, TypeChecker) or not isinstance(call, CallExpr) or not call.args:
        return
    if not call.arg_kinds[0].is_positional() or any(kind.is_star() for kind in call.arg_kinds):
        return
    called = _type(api, call.args[0])
    if not isinstance(called, CallableType) or called.is_ellipsis_args:
        return
    if provider in _CALLED or _fills_itself(called):
        kinds = [_OPTIONAL.get(kind, kind) for kind in called.arg_kinds]
        called = called.copy_modified(arg_kinds=kinds)  # pyright: ignore[reportUnknownMemberType]  # mypy's `Bogus`
    passed = list(zip(call.args, call.arg_kinds, call.arg_names, strict=True))[1:]
    if provider == "Identity":
        if not called.arg_types:
            return  # plain typing reports it
        called, passed = _after_first(called), [one for one in passed if one[2] not in _OWN]
    arguments: list[Expression] = [_injected(api, argument) for argument, _, _ in passed]
    kinds, names = [kind for _, kind, _ in passed], [name for _, _, name in passed]
    api.expr_checker.check_call(called, arguments, kinds, call, names)


def _after_first(called: CallableType) -> CallableType:
    """What is left to pass to a function whose first argument daebus passes: the credentials."""
    return called.copy_modified(  # pyright: ignore[reportUnknownMemberType]  # mypy's `Bogus`
        arg_types=called.arg_types[1:], arg_kinds=called.arg_kinds[1:], arg_names=called.arg_names[1:]
    )


def _type(api: TypeChecker, expression: Expression) -> ProperType:
    # A lambda may use a name that is defined below it, so that mypy would have to defer it.
    if isinstance(expression, LambdaExpr):
        return _ANYTHING
    with api.msg.filter_errors(), api.local_type_map:
        return get_proper_type(api.expr_checker.accept(expression))


def _injected(api: TypeChecker, argument: Expression) -> Expression:
    """The value that is injected for an argument: the object of a provider, otherwise the argument itself."""
    typ = _type(api, argument)
    if not isinstance(typ, Instance) or not is_provider(typ):
        return TempNode(typ, context=argument) if isinstance(argument, LambdaExpr) else argument
    gives = read_provider(api, "", typ).gives
    is_awaited = isinstance(gives, Instance) and gives.type.fullname in ("typing.Awaitable", "typing.Coroutine")
    # These inject the provider itself.
    is_attribute = isinstance(argument, MemberExpr) and argument.name == "provider"
    is_delegated = is_attribute or typ.type.name.startswith("Delegated")
    return TempNode(_ANYTHING if gives is None or is_awaited or is_delegated else gives, context=argument)


def _fills_itself(called: CallableType) -> bool:
    """Whether a class reads missing arguments from elsewhere, as pydantic settings read the environment."""
    returned = get_proper_type(called.ret_type)
    return isinstance(returned, Instance) and any(base.fullname.startswith("pydantic") for base in returned.type.mro)
