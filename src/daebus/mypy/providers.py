"""Providers of a container: nested containers, selectors, and the lifetimes of objects."""

from __future__ import annotations

from mypy.checker import TypeChecker
from mypy.nodes import CallExpr, Expression, LambdaExpr, MemberExpr, NameExpr, SymbolNode, Var
from mypy.plugin import AttributeContext, FunctionContext, FunctionSigContext
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    ProperType,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

from daebus.mistakes.suggestions import closest
from daebus.mypy.model.containers import is_provider, read_provider
from daebus.mypy.model.reading import assigned, variable
from daebus.mypy.model.reports import WIRING, listed, report

__all__ = [
    "IDENTITY",
    "LASTING",
    "PER_MESSAGE",
    "check_called",
    "check_lifetime",
    "found_user",
    "nested_provider",
    "selected",
]

_PROVIDERS = "dependency_injector.providers."
LASTING = frozenset(
    _PROVIDERS + name
    for name in ("ContextLocalSingleton", "Resource", "Singleton", "ThreadLocalSingleton", "ThreadSafeSingleton")
)
"""The providers that keep their arguments as long as the service lives."""
PER_MESSAGE = "daebus.delivery.per_message.PerMessage"
IDENTITY = "daebus.identity.provider.Identity"
_AWAITED = ("typing.Awaitable", "typing.Coroutine")
_MESSAGE_PROVIDER = "daebus.delivery.per_message.MessageProvider"


def nested_provider(context: AttributeContext, name: str) -> Type:
    """The type of a provider of a nested container: ``Container.inner.db``."""
    api, owner = context.api, context.type
    if not isinstance(api, TypeChecker) or not isinstance(owner, Instance) or owner.type.get(name) is not None:
        return context.default_attr_type
    inner = read_provider(api, name, owner).nested
    if inner is None or context.is_lvalue:
        return context.default_attr_type
    node = inner.attribute(name)
    if isinstance(node, Var) and node.type is not None:
        return node.type
    if node is None:
        names = inner.names()
        close = closest(name, names)
        found = f'{inner.name} has no provider "{name}"; it has {listed(names)}'
        remedy = f"add it to {inner.name}" if close is None else f'did you mean "{close}"?'
        report(api, WIRING, context.context, f"{inner.name}.{name}", found, remedy)
    return context.default_attr_type


def selected(context: FunctionContext) -> Type:
    """The type of a selector: the union of the types of its providers."""
    made = get_proper_type(context.default_return_type)
    if not isinstance(made, Instance) or len(made.args) != 1 or not isinstance(context.api, TypeChecker):
        return context.default_return_type
    anything = AnyType(TypeOfAny.special_form)
    given: list[Type] = []
    for argument in context.args[-1]:
        # Once more, without the type that the parameter asks for.
        with context.api.msg.filter_errors(), context.api.local_type_map:
            provider = get_proper_type(context.api.expr_checker.accept(argument))
        gives = read_provider(context.api, "", provider).gives if isinstance(provider, Instance) else None
        given.append(gives or anything)
    return Instance(made.type, [UnionType.make_union(given) if given else anything])


def found_user(context: FunctionContext) -> Type:
    """The type of an identity, which mypy does not know if there is a lambda beside the function of the user.

    Then it tries both overloads, also that for a function that is not async, and takes neither.
    """
    made, given = get_proper_type(context.default_return_type), context.arg_types[0]
    function = get_proper_type(given[0]) if given else None
    if not isinstance(made, Instance) or not isinstance(function, CallableType) or len(made.args) != 1:
        return context.default_return_type
    inferred, returned = get_proper_type(made.args[0]), get_proper_type(function.ret_type)
    if not isinstance(inferred, AnyType) and not _is_awaited(inferred):
        return context.default_return_type
    if isinstance(returned, Instance) and _is_awaited(returned):
        returned = get_proper_type(returned.args[-1])
    members = returned.items if isinstance(returned, UnionType) else [returned]
    user = UnionType.make_union([one for one in members if not isinstance(get_proper_type(one), NoneType)])
    return Instance(made.type, [user])


def _is_awaited(typ: ProperType) -> bool:
    return isinstance(typ, Instance) and typ.type.fullname in _AWAITED


def check_lifetime(context: FunctionSigContext) -> bool:
    """Report a per-message object that another object keeps as long as the service lives. Returns whether it is so."""
    api, is_captured = context.api, False
    if not isinstance(api, TypeChecker):
        return is_captured
    for argument in [expression for actuals in context.args[1:] for expression in actuals]:
        captured = _captured(api, argument, set())
        if captured is not None:
            kind = (context.default_signature.name or "It").split(" of ", 1)[0].strip('"')
            found = f"the {kind} lives as long as the service, but would keep an object of one message"
            remedy = f"make it a providers.Factory, or pass {captured} at each call"
            report(api, WIRING, argument, f"{kind}(..., {captured})", found, remedy)
            is_captured = True
    return is_captured


def check_called(context: FunctionSigContext, kind: str) -> None:
    """Report a provider that is called in the body of a container: its object is made when the module is imported."""
    api = context.api
    if not isinstance(api, TypeChecker) or api.scope.active_class() is None:
        return
    for argument in [expression for actuals in context.args[1:] for expression in actuals]:
        if not isinstance(argument, CallExpr) or not isinstance(argument.callee, NameExpr | MemberExpr):
            continue
        with api.msg.filter_errors(), api.local_type_map:
            called = get_proper_type(api.expr_checker.accept(argument.callee))
        if isinstance(called, Instance) and is_provider(called):
            name = argument.callee.name
            found = "it is called here, when the module is imported, so its object is not that of the container"
            report(api, WIRING, argument, f"{kind}(..., {name}())", found, f"pass the provider: {name}, without ()")


def _captured(api: TypeChecker, provider: Expression, seen: set[SymbolNode]) -> str | None:
    """The name of the per-message provider that an argument is, or uses through other providers of the class."""
    with api.msg.filter_errors(), api.local_type_map:
        typ = get_proper_type(api.expr_checker.accept(provider)) if not isinstance(provider, LambdaExpr) else None
    if not isinstance(typ, Instance) or not is_provider(typ):
        return None
    if typ.type.has_base(_MESSAGE_PROVIDER):
        return provider.name if isinstance(provider, NameExpr | MemberExpr) else "it"
    if isinstance(provider, MemberExpr) and typ.type.name == "ProvidedInstance":
        return _captured(api, provider.expr, seen)
    made: Expression | None = provider
    node = variable(provider)
    if node is not None and node not in seen:
        seen.add(node)
        body = node.info.defn.defs.body if isinstance(node, Var) and node.info else ()
        made = next((found[1] for statement in body if (found := assigned(statement)) and found[0] is node), None)
    if not isinstance(made, CallExpr) or any(info.fullname in LASTING for info in typ.type.mro):
        return None
    captured = (_captured(api, argument, seen) for argument in made.args[1:])
    return next((name for name in captured if name is not None), None)
