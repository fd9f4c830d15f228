"""Registration: no blueprint or component twice, no handler after its blueprint, no override without effect."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.checker import TypeChecker
from mypy.nodes import CallExpr, Context, Expression, ExpressionStmt, MemberExpr, RefExpr, SymbolNode
from mypy.plugin import MethodSigContext
from mypy.types import Instance, get_proper_type

from daebus.mistakes.suggestions import closest
from daebus.mypy.model.containers import Container
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.reading import assigned, siblings, variable
from daebus.mypy.model.reports import DUPLICATE, SIGNATURE, WIRING, listed, report

__all__ = ["OVERRIDING", "REGISTERING", "check_in_time", "check_once", "check_overrides"]

_CONTAINER = "dependency_injector.containers.Container"
_APP = "daebus.app.service.Daebus."
OVERRIDING = frozenset({"override", "override_providers"})
"""The methods to which `check_overrides` belongs, of any container class."""
REGISTERING = frozenset({_APP + "register_blueprint", _APP + "attach"})
"""The methods to which `check_once` belongs."""


def check_once(context: MethodSigContext) -> None:
    """Report a blueprint that is registered, or a component that is attached, a second time in the same block."""
    api, call = context.api, context.context
    if not isinstance(api, TypeChecker) or not isinstance(call, CallExpr) or len(call.args) != 1:
        return
    what = _registered(call)
    if what is None or not isinstance(call.callee, MemberExpr):
        return
    earlier = next((line for other, line in _registrations(api, call) if other == what), None)
    if earlier is not None:
        shown = getattr(call.args[0], "name", None) or what[2].name
        done = "registered" if call.callee.name == "register_blueprint" else "attached"
        report(api, DUPLICATE, call, shown, f"it is {done} already, in line {earlier}", "remove one of the two")


def check_in_time(handler: Handler) -> None:
    """Report a handler that is defined after its blueprint was registered."""
    blueprint = variable(handler.decoration.recorder)
    if blueprint is None or handler.decoration.is_app:
        return
    for (_, name, registered), line in _registrations(handler.api, handler.call):
        if name == "register_blueprint" and registered is blueprint:
            found = f"it comes too late: {blueprint.name} was registered in line {line}"
            remedy = "define every handler before its blueprint is registered"
            report(handler.api, SIGNATURE, handler.call, handler.name, found, remedy)
            return


def check_overrides(context: MethodSigContext) -> None:
    """Report overrides of names that the container does not have.

    They are in ``container.override(Fakes())`` and ``container.override_providers(repo=...)``.
    """
    api, call, owner = context.api, context.context, get_proper_type(context.type)
    if not isinstance(api, TypeChecker) or not isinstance(call, CallExpr) or not isinstance(owner, Instance):
        return
    if not owner.type.has_base(_CONTAINER):
        return
    known = [] if owner.type.fallback_to_any else Container(api, owner.type).names()
    for subject, name, at in _overriding(api, call) if known else ():
        if name not in known:
            close = closest(name, known)
            remedy = "remove it" if close is None else f'did you mean "{close}"?'
            found = f"it overrides nothing: {owner.type.name} has {listed(known)}"
            report(api, WIRING, at, subject, found, remedy)


def _overriding(api: TypeChecker, call: CallExpr) -> Iterator[tuple[str, str, Expression]]:
    """Each override: its subject in a message, its name, and its position."""
    for name, given in zip(call.arg_names, call.args, strict=True):
        if name is not None:
            yield name, name, given
            continue
        with api.msg.filter_errors(), api.local_type_map:
            overriding = get_proper_type(api.expr_checker.accept(given))
        if isinstance(overriding, Instance) and not overriding.type.fallback_to_any:
            for inner in Container(api, overriding.type).names():
                yield f"{overriding.type.name}.{inner}", inner, given


_Registered = tuple[SymbolNode, str, SymbolNode]
"""The app, the method, and the blueprint or the class of the component."""


def _registrations(api: TypeChecker, until: Context) -> Iterator[tuple[_Registered, int]]:
    """The registrations before a line in the block that mypy checks now, with their lines."""
    found: dict[_Registered, int] = {}
    for statement in siblings(api):
        if statement.line >= until.line:
            break
        made = assigned(statement)
        if made is not None:
            found = {what: line for what, line in found.items() if made[0] not in what}
        what = _registered(statement.expr) if isinstance(statement, ExpressionStmt) else None
        if what is not None:
            found.setdefault(what, statement.line)
    yield from found.items()


def _registered(call: Expression) -> _Registered | None:
    if not isinstance(call, CallExpr) or not isinstance(call.callee, MemberExpr) or len(call.args) != 1:
        return None
    app, given = variable(call.callee.expr), call.args[0]
    if call.callee.name == "attach" and isinstance(given, CallExpr) and isinstance(given.callee, RefExpr):
        what = given.callee.node
        if what is not None and not what.fullname.startswith("daebus."):
            return None  # a user may attach several components of one class
    else:
        what = variable(given)
    if app is None or what is None or _APP + call.callee.name not in REGISTERING:
        return None
    return app, call.callee.name, what
